"""What becomes of best quotes in the same breath: features of each minute."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from vintner.marketdata.calendars import SessionTable
from vintner.marketdata.normalise import SkewMeter, normalise_quotes
from vintner.marketdata.normalise.rules import UNKNOWN_SYMBOL
from vintner.marketdata.processing.contexts import Contexts, Pinned
from vintner.marketdata.processing.rows import timeline
from vintner.marketdata.processing.trades import behind
from vintner.marketdata.quotes import INPUT, QuoteEngine, QuoteRules, Verdict
from vintner.messaging.stateful import DerivedRows, Worked
from vintner.messaging.streams import FEATURES_RAW


class QuotesWork:
    """The :class:`~vintner.messaging.stateful.Work` of the stream of best quotes.

    Parameters
    ----------
    contexts
        What quotes are normalised by.
    sessions
        Sessions of exchanges, those the contexts number.
    rules
        How the engine keeps time.
    """

    def __init__(self, contexts: Contexts, sessions: SessionTable, rules: QuoteRules | None = None) -> None:
        self._pinned = Pinned(contexts)
        self._engine = QuoteEngine(rules or QuoteRules(), sessions)
        self._meter = SkewMeter()

    def apply(self, rows: pa.Table) -> Worked:
        """Take rows; see :meth:`vintner.messaging.stateful.Work.apply`."""
        self._meter.observe(rows)
        batch, counts = timeline(rows, lambda rows: normalise_quotes(rows, self._pinned.context), INPUT)
        told = self._engine.apply(batch)
        for one in told.verdicts.value_counts().to_pylist():
            counts[Verdict(one["values"]).name.lower().replace("_", " ")] += one["counts"]
        derived = DerivedRows(stream=FEATURES_RAW, rows=told.features, lanes=told.lanes)
        return Worked(
            rows=[derived],
            counts=counts,
            gauges={"clock behind": behind(self._meter)},
            unsettled=UNKNOWN_SYMBOL in counts,
        )

    def renew(self) -> bool:
        """Judge by the newest symbols; see :meth:`vintner.messaging.stateful.Work.renew`."""
        return self._pinned.renew()

    def pin(self) -> str:
        """Return the name of the symbols it judges by; see :meth:`vintner.messaging.stateful.Work.pin`."""
        return self._pinned.name

    def repin(self, name: str) -> None:
        """Judge by the symbols of a name; see :meth:`vintner.messaging.stateful.Work.repin`."""
        self._pinned.take(name)

    def dump(self) -> dict[int, bytes]:
        """Return the state of each lane; see :meth:`vintner.messaging.stateful.Work.dump`."""
        return self._engine.dump()

    def load(self, lanes: Mapping[int, bytes]) -> None:
        """Take over states; see :meth:`vintner.messaging.stateful.Work.load`."""
        self._engine.load(lanes)
