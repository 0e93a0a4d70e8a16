"""Gaps and the lake: which there are, and what the lake holds around one.

Trades lie by day of their event. A gap opened when a trade behind it was known, so what is missing is looked for in
the days up to then first; only when its neighbours are not found there the whole table is looked through.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import BooleanExpression

from vintner.bitemporal.model import EVENT_TIME, KNOWLEDGE_TIME, OP, Operation
from vintner.lake.handle import Lake
from vintner.lake.model import SOURCE, Dataset
from vintner.lake.predicates import at_least, at_most, equal, every, one_of
from vintner.lake.quarantine import ARRIVED_AT
from vintner.lake.quarantine import TABLE as QUARANTINE
from vintner.lake.reader import scan_rows
from vintner.marketdata.datasets import BARS, TRADES
from vintner.marketdata.gaps.causes import Evidence
from vintner.marketdata.gaps.dataset import GAPS
from vintner.marketdata.gaps.model import Gap, GapKind, newest
from vintner.marketdata.gaps.ranges import of_numbers
from vintner.marketdata.gaps.silences import Span
from vintner.marketdata.gaps.sources import TRADE, each_once, venue_and_symbol

MEMORY: Final = timedelta(days=14)
"""How far back gaps that have not ended are looked for."""
_BEFORE: Final = timedelta(days=2)
_AFTER: Final = timedelta(days=1)
_HOURS: Final = timedelta(hours=2)
_DAYS: Final = timedelta(days=4)


def known_gaps(lake: Lake, *, since: datetime | None = None, known_at: datetime | None = None) -> dict[str, Gap]:
    """Return gaps by id, as they are known now or were at an instant, in order of opening.

    Parameters
    ----------
    since
        Only those opened then or later.
    """
    bounds = [] if since is None else [at_least(EVENT_TIME, since)]
    bounds += [] if known_at is None else [at_most(KNOWLEDGE_TIME, known_at)]
    return newest(Gap.of_row(row) for row in _rows(lake, GAPS, bounds).to_pylist())


def life_of(lake: Lake, gap_id: str) -> list[Gap]:
    """Return every revision of a gap, in the order they became known."""
    rows = _rows(lake, GAPS, [equal("entity", gap_id)]).to_pylist()
    found = [(row["revision_seq"], Gap.of_row(row)) for row in rows]
    return [gap for _, gap in sorted(found, key=lambda one: (one[1].opened_at, one[1].known_at, one[0]))]


class LakeTrades:
    """The trades of the lake, as what is held around a gap and as a source of its own.

    Parameters
    ----------
    lake
        The lake.
    halts
        Times in which an instrument was halted.
    """

    name = "lake"

    def __init__(
        self, lake: Lake, *, halts: Callable[[str], Iterable[tuple[datetime, datetime]]] = lambda _: ()
    ) -> None:
        self._lake = lake
        self._halts = halts
        self._held: tuple[str, int, int, pa.Table] | None = None

    def ids(self, gap: Gap) -> pa.Table:
        """Return the trades with a gap's ids and the ones next to them; see :class:`Held`."""
        first, last = gap.numbers
        wanted = [equal("instrument", gap.instrument), at_least("trade_id", first - 1), at_most("trade_id", last + 1)]
        near = [at_least(EVENT_TIME, gap.opened_at - _BEFORE), at_most(EVENT_TIME, gap.opened_at + _AFTER)]
        rows = self._trades([*wanted, *near])
        if rows.num_rows < last - first + 3:
            found = pc.min_max(rows["trade_id"])
            if found["min"].as_py() != first - 1 or found["max"].as_py() != last + 1:
                rows = self._trades(wanted)
        self._held = gap.instrument, first, last, rows
        return rows.select(["trade_id", SOURCE])

    def span(self, gap: Gap) -> pa.Table:
        """Return the trades from the start to the end of a silence; see :class:`Held`."""
        bounds = [at_least(EVENT_TIME, gap.missing_from), at_most(EVENT_TIME, gap.missing_to)]
        return self._trades([equal("instrument", gap.instrument), *bounds]).select(["trade_id", SOURCE])

    def fetch(self, instrument: str, first_id: int, last_id: int) -> pa.Table:
        """Return the trades it holds, as they were received; see :class:`SecondarySource`."""
        held = self._held
        if held is not None and held[0] == instrument and held[1] <= first_id and last_id <= held[2]:
            rows = held[3]
        else:
            bounds = [at_least("trade_id", first_id), at_most("trade_id", last_id)]
            rows = self._trades([equal("instrument", instrument), *bounds])
        inside = pc.and_(pc.greater_equal(rows["trade_id"], first_id), pc.less_equal(rows["trade_id"], last_id))
        return rows.filter(inside).select(TRADE.names).cast(TRADE)

    def evidence(self, gap: Gap) -> Evidence:
        """Return what quarantine and venue know of a gap; see :class:`Held`."""
        if gap.kind is GapKind.CALENDAR:
            return Evidence(halts=list(self._halts(gap.instrument)))
        around = [at_least(ARRIVED_AT, gap.opened_at - _BEFORE), at_most(ARRIVED_AT, gap.opened_at + _AFTER)]
        table = self._lake.load(QUARANTINE)
        mine = every([*around, equal("entity", "/".join(venue_and_symbol(gap.instrument)))])
        payloads = table.scan(row_filter=mine, selected_fields=("payload",)).to_arrow()["payload"].to_pylist()
        ids = (_trade_id(payload) for payload in payloads)
        return Evidence(refused=of_numbers(one for one in ids if one is not None))

    def _trades(self, bounds: Iterable[BooleanExpression]) -> pa.Table:
        """Return trades, of each the version that was known first."""
        return each_once(_rows(self._lake, TRADES, bounds), KNOWLEDGE_TIME)


def seen_of(lake: Lake, *, now: datetime) -> Mapping[str, list[Span]]:
    """Return when each instrument was seen of late: from daily bars, today's hours, and the last minutes.

    An instrument that had no bar in the last days does not trade regularly, and is not in it.
    """
    found: dict[str, list[Span]] = defaultdict(list)
    for interval, start, end in (
        ("1d", now - _DAYS, now),
        ("1h", now - timedelta(days=1), now - _HOURS),
        ("1m", now - _HOURS - timedelta(hours=1), now),  # with an hour that both have: bars end when sessions say so
    ):
        bounds = [one_of("interval", [interval]), at_least(EVENT_TIME, start), at_most(EVENT_TIME, end)]
        rows = _rows(lake, BARS, bounds).select(["instrument", "first_at", "last_at"])
        for name, first, last in zip(*(rows[column].to_pylist() for column in rows.column_names), strict=True):
            if first is not None:
                found[name].append((first, last))
    return found


def _rows(lake: Lake, dataset: Dataset, bounds: Iterable[BooleanExpression]) -> pa.Table:
    table = lake.load(dataset.name)
    snapshot = table.current_snapshot()
    if snapshot is None:
        return dataset.schema.empty_table()
    return scan_rows(table, snapshot, dataset, every([equal(OP, Operation.UPSERT.value), *bounds]))


def _trade_id(payload: str) -> int | None:
    try:
        found = json.loads(payload)["trade_id"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, int) else None
