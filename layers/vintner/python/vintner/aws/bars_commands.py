"""Bars held to the trades of the lake: ``python -m vintner.aws bars check | mend``.

``check`` makes the bars of each day again from the trades and compares them with the newest versions the lake holds;
``mend`` states those that are missing or differ anew, as known now, in the stream of bars. Given again it finds nothing
once ``bars_lander`` is done. Without ``--from`` it is the last two days. The processor should be up with its stream:
trades that it has still to read make parts of bars that ``mend`` would have told already.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.aws.catalog import open_catalog
from vintner.aws.judging import open_contexts
from vintner.aws.lake_commands import instant
from vintner.aws.processing import DerivedSender, ListedShards, ProcessingSettings
from vintner.aws.progress import ProgressLine
from vintner.aws.rebuild_state import check_partials, lanes_of
from vintner.aws.shards import KinesisShards
from vintner.aws.streams import KinesisPut
from vintner.bitemporal.model import EVENT_TIME, INGESTED_AT, KNOWLEDGE_TIME, OP, Operation
from vintner.datasets import dataset_of
from vintner.lake.handle import Lake
from vintner.lake.model import SOURCE, Dataset
from vintner.lake.predicates import at_least, at_most, equal, every
from vintner.lake.reader import scan_rows
from vintner.marketdata.calendars import SessionTable
from vintner.marketdata.mending import Verdict, batches_of, check_bars, days_between, known_at, span_of_day
from vintner.marketdata.normalise import Context, normalise_trades
from vintner.messaging.replay.run import records_of
from vintner.messaging.stateful import Derived, as_work
from vintner.messaging.stateful.lanes import LANE
from vintner.messaging.streams import BARS, TRADES

NAME: Final = "bars"
ACTIONS: Final = {
    "check": "compare the bars of the lake with its trades",
    "mend": "state those that are missing or differ anew",
}
_DAYS: Final = timedelta(days=2)
_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_DIGEST: Final = 16
Rows = list[dict[str, Any]]


def add_to(commands: Any) -> None:
    """Add ``bars`` and its commands to a parser's."""
    text = "hold bars to the trades they were made of"
    actions = commands.add_parser(NAME, help=text, description=__doc__).add_subparsers(dest="action", required=True)
    for name, told in ACTIONS.items():
        action = actions.add_parser(name, help=told, description=told)
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print rows as JSON")
        action.add_argument("--from", dest="start", help="first day, any instant of it, with an offset")
        action.add_argument("--to", dest="end", help="days that begin before this instant; else now")


def run(chosen: argparse.Namespace) -> Rows:
    """Run a command; return a row for each day."""
    settings, now = ProcessingSettings.from_environment(), datetime.now(UTC)
    end = instant(chosen.end) if chosen.end else now
    start = instant(chosen.start) if chosen.start else now - _DAYS
    contexts, sessions = open_contexts(settings)
    lake = Lake(open_catalog(settings), settings.glue_database, lambda: datetime.now(UTC))
    name = settings.stream(BARS.resource_name)
    bars = BarsOfLake(lake, contexts.open(contexts.newest()), sessions)
    send = DerivedSender(settings, NAME, KinesisPut()) if chosen.action == "mend" else None
    return hold(bars, start, end, ProgressLine(), send, lambda: (KinesisShards(name), name))


class BarsOfLake:
    """The bars of a lake and the trades they are of, a day at a time.

    Parameters
    ----------
    lake
        The lake; its clock tells the present.
    context, sessions
        What trades are judged by, and the sessions it numbers.
    """

    def __init__(self, lake: Lake, context: Context, sessions: SessionTable) -> None:
        self.lake = lake
        self._context = context
        self._sessions = sessions

    def judge(self, day: datetime) -> Verdict:
        """Judge the bars that end on a day."""
        first, after = span_of_day(day)
        trades, bars = dataset_of(TRADES.name), dataset_of(BARS.name)
        held = self._rows(bars, day + _MICROSECOND, day + _DAY)
        own = self._rows(trades, first, after - _MICROSECOND)
        return check_bars(self._normalised(own), held, self._sessions, day=day, now=self.lake.clock())

    def _normalised(self, rows: pa.Table) -> pa.Table:
        known = rows[KNOWLEDGE_TIME].combine_chunks()
        producers, lanes = rows[SOURCE].combine_chunks(), lanes_of(rows, TRADES)
        records = as_work(records_of(rows, TRADES.record), lanes=lanes, producers=producers, known=known)
        return normalise_trades(records.append_column(INGESTED_AT, rows[INGESTED_AT]), self._context).rows

    def _rows(self, dataset: Dataset, first: datetime, last: datetime) -> pa.Table:
        table = self.lake.load(dataset.name)
        snapshot = table.current_snapshot()
        if snapshot is None:
            return dataset.schema.empty_table()
        standing = equal(OP, Operation.UPSERT.value)
        wanted = every([standing, at_least(EVENT_TIME, first), at_most(EVENT_TIME, last)])
        return scan_rows(table, snapshot, dataset, wanted)


def hold(
    bars: BarsOfLake,
    start: datetime,
    end: datetime,
    shown: Callable[[str, int, int | None], None],
    send: Callable[[Derived], None] | None,
    shards: Callable[[], tuple[ListedShards, str]],
) -> Rows:
    """Hold the bars of a span of days to their trades; return a row for each day, and with ``send`` mend them.

    Raises
    ------
    PartialsOnTheirWayError
        Bars are to be mended while late parts of some are still to be merged.
    """
    days, told = list(days_between(start, end)), Rows()
    for number, day in enumerate(days):
        shown("days", number, len(days))
        if send is not None:
            check_partials(bars.lake, *shards())
        verdict = bars.judge(day)
        mended = 0 if send is None else _mend(verdict, bars.lake.clock(), send)
        told.append(_row(day, verdict) | ({} if send is None else {"mended": mended}))
    shown("days", len(days), len(days))
    return told


def _mend(verdict: Verdict, now: datetime, send: Callable[[Derived], None]) -> int:
    """State what is missing or differs; the producer is named by what it says and when."""
    wrong = pa.concat_tables([verdict.missing, verdict.different])
    if not wrong.num_rows:
        return 0
    at = known_at(now, pc.max(wrong[KNOWLEDGE_TIME]).as_py())
    digest = hashlib.sha256(at.isoformat().encode())
    for row in _texts(wrong):
        digest.update(row)
    producer = f"mend/{digest.hexdigest()[:_DIGEST]}"
    send(Derived(batches=batches_of(BARS, wrong, LANE, producer=producer, at=at)))
    return len(wrong)


def _texts(rows: pa.Table) -> Iterator[bytes]:
    for row in rows.to_pylist():
        yield repr(sorted(row.items())).encode()


def _row(day: datetime, verdict: Verdict) -> dict[str, Any]:
    return {
        "day": day.date().isoformat(),
        "bars": verdict.bars,
        "missing": verdict.missing.num_rows,
        "different": verdict.different.num_rows,
        "unfounded": verdict.unfounded,
        "unsettled": verdict.unsettled,
    }
