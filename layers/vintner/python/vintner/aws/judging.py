"""What records are normalised by in an account: the symbols the lake knows, and the venues and sessions we ship."""

from __future__ import annotations

from vintner.aws.catalog import open_catalog
from vintner.aws.settings import Settings
from vintner.lake.reader import LakeReader
from vintner.marketdata.calendars import SessionTable, load_sessions
from vintner.marketdata.normalise import Context
from vintner.marketdata.symbology import SYMBOLS, Symbology
from vintner.marketdata.venues import VENUES


def open_context(settings: Settings) -> tuple[Context, SessionTable]:
    """Return what records are judged by, with the symbols known to the lake now, and the sessions it numbers.

    A process asks once: what a symbol stands for is stated before it trades, and a record that came before is refused
    and sent again by whoever handles dead letters.
    """
    facts = LakeReader(open_catalog(settings), settings.glue_database).read(SYMBOLS)
    sessions = load_sessions()
    return Context(Symbology(facts), VENUES, sessions), sessions
