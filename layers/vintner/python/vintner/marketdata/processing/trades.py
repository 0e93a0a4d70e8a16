"""What becomes of trades in the same breath: bars, rolling features, and gaps."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from vintner.marketdata.calendars import SessionTable
from vintner.marketdata.engine import INPUT, EngineConfig, TradeEngine
from vintner.marketdata.gaps import GAPS, GapBook
from vintner.marketdata.normalise import SkewMeter, normalise_trades
from vintner.marketdata.normalise.rules import UNKNOWN_SYMBOL
from vintner.marketdata.processing.contexts import Contexts, Pinned
from vintner.marketdata.processing.rows import clocks, timeline
from vintner.messaging.stateful import DerivedRows, Worked, frame, unframe
from vintner.messaging.streams import BARS, FEATURES_RAW

_OUTCOMES = ("applied", "duplicates", "in no bar")


class TradesWork:
    """The :class:`~vintner.messaging.stateful.Work` of the trades stream.

    Parameters
    ----------
    contexts
        What trades are normalised by.
    sessions
        Sessions of exchanges, those the contexts number.
    config
        Settings of the engine.
    """

    def __init__(self, contexts: Contexts, sessions: SessionTable, config: EngineConfig | None = None) -> None:
        self._pinned = Pinned(contexts)
        self._engine = TradeEngine(config or EngineConfig(), sessions)
        self._book = GapBook()
        self._meter = SkewMeter()

    def apply(self, rows: pa.Table) -> Worked:
        """Take rows; see :meth:`vintner.messaging.stateful.Work.apply`."""
        self._meter.observe(rows)
        batch, counts = timeline(rows, lambda rows: normalise_trades(rows, self._pinned.context), INPUT)
        told = self._engine.apply(batch)
        gaps = self._book.apply(told.gaps, clocks(batch)) if told.gaps or self._book.lanes else []
        for verdict, outcome in enumerate(_OUTCOMES):
            counts[outcome] += _count(told.verdicts, verdict)
        return Worked(
            rows=[
                DerivedRows(stream=BARS, rows=told.bars, lanes=told.lanes.bars),
                DerivedRows(stream=FEATURES_RAW, rows=told.features, lanes=told.lanes.features),
            ],
            facts=[(GAPS.name, gap.fact()) for gap in gaps],
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
        engine, book = self._engine.dump(), self._book.dump()
        return {lane: frame({"engine": engine.get(lane, b""), "book": book.get(lane, b"")}) for lane in engine | book}

    def load(self, lanes: Mapping[int, bytes]) -> None:
        """Take over states; see :meth:`vintner.messaging.stateful.Work.load`."""
        parts = {lane: unframe(blob, name=f"trades of lane {lane}") for lane, blob in lanes.items()}
        self._engine.load({lane: part["engine"] for lane, part in parts.items() if part["engine"]})
        self._book.load({lane: part["book"] for lane, part in parts.items() if part["book"]})


def behind(meter: SkewMeter) -> float:
    """Return how far the worst of our clocks is behind its venue's, milliseconds; 0 where none is."""
    return max((one.behind.total_seconds() * 1000 for one in meter.measure()), default=0.0)


def _count(verdicts: pa.Array, verdict: int) -> int:
    counted = {one["values"]: one["counts"] for one in verdicts.value_counts().to_pylist()}
    return int(counted.get(verdict, 0))
