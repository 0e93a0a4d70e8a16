"""What becomes of best quotes in the same breath: features of each minute."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pyarrow as pa

from vintner.marketdata.calendars import SessionTable
from vintner.marketdata.normalise import Context, SkewMeter, normalise_quotes
from vintner.marketdata.processing.rows import timeline
from vintner.marketdata.processing.trades import behind
from vintner.marketdata.quotes import INPUT, QuoteEngine, QuoteRules, Verdict
from vintner.messaging.stateful import DerivedRows, Worked
from vintner.messaging.streams import FEATURES_RAW


class QuotesWork:
    """The :class:`~vintner.messaging.stateful.Work` of the stream of best quotes.

    Parameters
    ----------
    context
        What quotes are normalised by.
    sessions
        Sessions of exchanges, those the context numbers.
    rules
        How the engine keeps time.
    """

    def __init__(self, context: Context, sessions: SessionTable, rules: QuoteRules | None = None) -> None:
        self._normalise = partial(normalise_quotes, context=context)
        self._engine = QuoteEngine(rules or QuoteRules(), sessions)
        self._meter = SkewMeter()

    def apply(self, rows: pa.Table) -> Worked:
        """Take rows; see :meth:`vintner.messaging.stateful.Work.apply`."""
        self._meter.observe(rows)
        batch, counts = timeline(rows, self._normalise, INPUT)
        told = self._engine.apply(batch)
        for one in told.verdicts.value_counts().to_pylist():
            counts[Verdict(one["values"]).name.lower().replace("_", " ")] += one["counts"]
        derived = DerivedRows(stream=FEATURES_RAW, rows=told.features, lanes=told.lanes)
        return Worked(rows=[derived], counts=counts, gauges={"clock behind": behind(self._meter)})

    def dump(self) -> dict[int, bytes]:
        """Return the state of each lane; see :meth:`vintner.messaging.stateful.Work.dump`."""
        return self._engine.dump()

    def load(self, lanes: Mapping[int, bytes]) -> None:
        """Take over states; see :meth:`vintner.messaging.stateful.Work.load`."""
        self._engine.load(lanes)
