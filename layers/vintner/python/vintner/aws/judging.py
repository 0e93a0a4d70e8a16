"""What records are normalised by in an account: the symbols the lake knows, and the venues and sessions we ship."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from pyiceberg.catalog import Catalog

from vintner.aws.catalog import open_catalog
from vintner.aws.settings import Settings
from vintner.lake.ledger import Ledger
from vintner.lake.reader import LakeReader, load_table
from vintner.marketdata.calendars import SessionTable, load_sessions
from vintner.marketdata.normalise import Context
from vintner.marketdata.symbology import SYMBOLS, Symbology
from vintner.marketdata.venues import VENUES

NO_SYMBOLS: Final = "none"
"""Name of the state in which the lake knows no symbol."""
ASKED_EVERY_S: Final = 1.0
"""The lake is asked for newer symbols at most so often, seconds."""


class LakeContexts:
    """The :class:`~vintner.marketdata.processing.Contexts` of a lake: each is named by a system time of its symbols.

    Up to the mark of the table's ledger a system cut reads the same rows for ever, so the mark is a name.

    Parameters
    ----------
    catalog, database
        Where the symbols are.
    sessions
        The numbers of calendars.
    monotonic
        Seconds that only grow.
    """

    def __init__(
        self,
        catalog: Catalog,
        database: str,
        sessions: SessionTable,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = partial(load_table, catalog, database, SYMBOLS.name)
        self._reader = LakeReader(catalog, database)
        self._sessions = sessions
        self._monotonic = monotonic
        self._asked: tuple[float, str] | None = None

    def newest(self) -> str:
        """Return the name of the newest; see :meth:`vintner.marketdata.processing.Contexts.newest`."""
        now = self._monotonic()
        if self._asked is None or now - self._asked[0] >= ASKED_EVERY_S:
            mark = Ledger.of(self._load()).mark
            self._asked = now, mark.isoformat() if mark else NO_SYMBOLS
        return self._asked[1]

    def open(self, name: str) -> Context:
        """Return the context of a name; see :meth:`vintner.marketdata.processing.Contexts.open`."""
        if name == NO_SYMBOLS:
            return Context(Symbology.empty(), VENUES, self._sessions)
        facts = self._reader.read(SYMBOLS, ingested_to=datetime.fromisoformat(name))
        return Context(Symbology(facts), VENUES, self._sessions)


def open_contexts(settings: Settings) -> tuple[LakeContexts, SessionTable]:
    """Return what records are judged by in a deployment, and the sessions it numbers."""
    sessions = load_sessions()
    return LakeContexts(open_catalog(settings), settings.glue_database, sessions), sessions
