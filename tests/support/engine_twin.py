"""The slow, obvious twin of the engine of trades: dictionaries, whole numbers, one row after the other.

A direct reading of what the engine promises. Bars are recomputed from nothing but their trades whenever they are told;
features from the whole list of one-minute bars.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.support.recomputed_bars import Bar, Trade, bar_of, features_of
from vintner.marketdata.calendars import INTERVALS, SessionTable, bar_bounds
from vintner.marketdata.engine import EngineConfig

APPLIED, DUPLICATE, IN_NO_BAR, HEARTBEAT = range(4)


def micro(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


@dataclass
class TwinBar:
    start: int
    end: int
    partial: bool
    trades: list[Trade] = field(default_factory=list)
    told: bool = False
    changed: bool = False


@dataclass
class TwinInstrument:
    name: str
    venue: str
    dense: bool | None = None
    seen: list[int] = field(default_factory=list)  # dense: all ids; otherwise the last ones
    missing: list[tuple[int, int]] = field(default_factory=list)
    bars: dict[str, dict[int, TwinBar]] = field(default_factory=lambda: {interval: {} for interval in INTERVALS})
    frozen: list[Bar] = field(default_factory=list)  # one-minute bars that left, as they left
    values: dict[int, dict[str, float | None]] = field(default_factory=dict)  # by end, as told last


@dataclass
class TwinLane:
    clock: int | None = None
    stamp: int = 0
    instruments: dict[str, TwinInstrument] = field(default_factory=dict)


@dataclass
class TwinOutput:
    """Rows as dictionaries; ``lane`` is among the columns."""

    bars: list[dict[str, Any]] = field(default_factory=list)
    features: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[tuple[int, str, str, int, int, int, str]] = field(default_factory=list)
    verdicts: list[int] = field(default_factory=list)


class TwinEngine:
    """As ``TradeEngine``, for rows given as dictionaries: instants as microseconds, prices as whole units."""

    def __init__(self, config: EngineConfig, sessions: SessionTable) -> None:
        self.config, self.sessions = config, sessions
        self.lanes: dict[int, TwinLane] = {}
        self.horizon = {interval: micro(span) for interval, span in config.horizons.items()}

    def apply(self, rows: Iterable[dict[str, Any]]) -> TwinOutput:
        out = TwinOutput()
        for row in rows:
            out.verdicts.append(self._take(row, out))
        return out

    def _take(self, row: dict[str, Any], out: TwinOutput) -> int:
        lane = self.lanes.setdefault(row["lane"], TwinLane())
        known = row["knowledge_time"]
        clock = known if lane.clock is None else max(lane.clock, known)
        stamp = clock - clock % micro(self.config.tick)
        if lane.clock is None:
            lane.stamp = stamp
        elif stamp > lane.stamp:
            self._flush(row["lane"], lane, stamp, out)
            lane.stamp = stamp
        lane.clock = clock
        if row["instrument"] is None:
            return HEARTBEAT
        of = lane.instruments.setdefault(row["instrument"], TwinInstrument(row["instrument"], row["venue"]))
        if not self._is_new(row, lane, of, out):
            return DUPLICATE
        return self._count(row, lane, of)

    def _is_new(self, row: dict[str, Any], lane: TwinLane, of: TwinInstrument, out: TwinOutput) -> bool:
        if of.dense != row["dense"]:
            of.dense, of.seen, of.missing = row["dense"], [], []
        number = row["trade_id"]
        if not of.dense:
            if number in of.seen:
                return False
            of.seen = [*of.seen, number][-self.config.ids :]
            return True

        def tell(first: int, last: int, kind: str) -> None:
            assert lane.clock is not None
            out.gaps.append((row["lane"], of.name, of.venue, first, last, lane.clock, kind))

        if not of.seen:
            of.seen = [number, number]  # lowest and highest
            return True
        lowest, highest = of.seen
        if lowest <= number <= highest:
            hit = [hole for hole in of.missing if hole[0] <= number <= hole[1]]
            for first, last in hit:
                of.missing.remove((first, last))
                of.missing += [hole for hole in ((first, number - 1), (number + 1, last)) if hole[0] <= hole[1]]
                tell(number, number, "filled")
            of.missing = sorted(of.missing)[-self.config.holes :]
            return bool(hit)
        hole = (highest + 1, number - 1) if number > highest else (number + 1, lowest - 1)
        if hole[0] <= hole[1]:
            of.missing = sorted([*of.missing, hole])[-self.config.holes :]
            tell(hole[0], hole[1], "opened")
        of.seen = [min(lowest, number), max(highest, number)]
        return True

    def _count(self, row: dict[str, Any], lane: TwinLane, of: TwinInstrument) -> int:
        if not row["bar_rules"] & 7:
            return IN_NO_BAR
        verdict = IN_NO_BAR
        for interval in INTERVALS:
            at, is_close = row["event_time"], row["is_close"]
            bounds = bar_bounds(interval, at, self.sessions, row["calendar"], is_close=is_close)
            if bounds is None:
                continue
            verdict = APPLIED
            start, end = bounds
            late = end + self.horizon[interval] <= lane.stamp
            bar = of.bars[interval].setdefault(end, TwinBar(start, end, partial=late))
            bar.trades.append(Trade(row["trade_id"], at, row["price"], row["size"], row["side"], row["bar_rules"]))
            bar.changed = True
        return verdict

    def _flush(self, number: int, lane: TwinLane, stamp: int, out: TwinOutput) -> None:
        for of in lane.instruments.values():
            for interval in INTERVALS:
                told = False
                for end, bar in sorted(of.bars[interval].items()):
                    if bar.told and not bar.changed:
                        continue
                    if not bar.told and end + micro(self.config.grace) > stamp:
                        continue
                    summary = bar_of(of.name, interval, bar.start, bar.end, bar.trades)
                    row = {"lane": number, **summary, "knowledge_time": stamp, "partial": bar.partial}
                    out.bars.append(row)
                    bar.told, bar.changed, told = True, False, True
                if told and interval == "1m":
                    self._tell_features(number, of, stamp, out)
                self._let_go(of, interval, stamp)

    def _tell_features(self, number: int, of: TwinInstrument, stamp: int, out: TwinOutput) -> None:
        live = [bar for _, bar in sorted(of.bars["1m"].items()) if bar.told and not bar.partial]
        bars = of.frozen + [bar_of(of.name, "1m", bar.start, bar.end, bar.trades) for bar in live]
        rolled = features_of(bars, after=len(of.frozen))
        for bar in live:
            before, now = of.values.get(bar.end), rolled[bar.end]
            for name, value in now.items():
                if before is not None and repr(before[name]) == repr(value):
                    continue
                out.features.append(
                    {
                        "lane": number,
                        "instrument": of.name,
                        "feature": name,
                        "event_time": bar.end,
                        "knowledge_time": stamp,
                        "value": value,
                    }
                )
            of.values[bar.end] = now

    def _let_go(self, of: TwinInstrument, interval: str, stamp: int) -> None:
        for end, bar in sorted(of.bars[interval].items()):
            if end + self.horizon[interval] <= stamp:
                del of.bars[interval][end]
                if interval == "1m" and not bar.partial:
                    of.frozen.append(bar_of(of.name, interval, bar.start, bar.end, bar.trades))
