"""Records from their deliveries into a committed Iceberg append, against a bare PyIceberg append of the same rows.

    python -m benchmarks.lander [--deliveries N] [--records N] [--symbols N] [--before N] [--repeats N] [--json]

Three tables of trades, in one catalog on local disk, take turns; all have had ``--before`` commits already. A turn is
one call: ``--deliveries`` deliveries of ``--records`` trades each, packed beforehand as a producer packs them.

1. *bare*: ``table.append(rows)`` on a handle that is kept, the rows made and sorted beforehand. PyIceberg at its
   best, and what every other way has to do as well.
2. *lander*: the whole of ``Lander.land``: unpack, check, normalise, make rows, look for versions that are there, judge,
   sort, append, commit once.
3. *lander, redelivered*: the same, on deliveries of which every twentieth trade was sent in the call before as well.

After the last turn the tables are counted: each holds every trade once.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog.sql import SqlCatalog

from benchmarks.append import DATABASE, RowsMissingError
from benchmarks.measure import Finding, Result, at_least, at_most, parser, publish, take_turns
from vintner.bitemporal import INSTANT
from vintner.lake import Dataset, FactStore, ensure_database, load_table, migrate
from vintner.lake.keyed import sorted_by
from vintner.marketdata import TRADES
from vintner.marketdata.calendars import load_sessions
from vintner.marketdata.landing import Lander
from vintner.marketdata.landing.reading import read_deliveries
from vintner.marketdata.landing.rows import fact_rows
from vintner.marketdata.normalise import Context, normalise_trades
from vintner.marketdata.symbology import Symbology
from vintner.marketdata.venues import VENUES
from vintner.messaging import Delivery
from vintner.messaging.records import DECIMAL, Trade, schema_of
from vintner.messaging.streams import LANES
from vintner.messaging.streams import TRADES as TRADES_STREAM
from vintner.messaging.wire import Batch, pack

START = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)

normalise = partial(normalise_trades, context=Context(Symbology.empty(), VENUES, load_sessions()))


def trades(size: int, number: int, names: pa.Array, random: np.random.Generator) -> pa.Table:
    """Return trades of the second ``number``, of as many symbols as there are names; no two the same."""
    micros = np.sort(random.integers(0, 1_000_000, size))
    at = pa.array(micros + number * 1_000_000 + int(START.timestamp()) * 1_000_000).cast(INSTANT)
    price = pa.array(np.round(100 + random.normal(size=size), 2)).cast(DECIMAL)
    columns = {
        "venue": pa.array(["binance-spot"] * size),
        "symbol": names.take(pa.array(random.integers(0, len(names), size))),
        "trade_id": pa.array(np.arange(size) + number * size),
        "event_time": at,
        "received_at": pc.add(at, pa.scalar(timedelta(milliseconds=3))),
        "price": price,
        "size": pa.array(random.integers(1, 500, size).astype(np.float64)).cast(DECIMAL),
        "aggressor": pa.array(["buy", "sell"]).take(pa.array(random.integers(0, 2, size))),
        "conditions": pa.nulls(size, pa.string()),
    }
    return pa.table(columns, schema=schema_of(Trade))


def calls(options: argparse.Namespace, *, again: bool) -> Iterator[list[Delivery]]:
    """Yield the deliveries of one call after another; with ``again``, 5 % of the trades of the last one come again."""
    random, sequence = np.random.default_rng(options.seed), count(1)
    names, before = pa.array([f"SYM{number:04d}" for number in range(options.symbols)]), None
    for number in count():
        rows = sent = trades(options.deliveries * options.records, number, names, random)
        if again and before is not None:
            repeated = before.take(pa.arange(0, before.num_rows, 20))
            rows = pa.concat_tables([repeated, rows]).combine_chunks()
        before, moment = sent, START + SECOND * (number + 1)
        yield [
            delivery(rows.slice(start, options.records), next(sequence), moment)
            for start in range(0, rows.num_rows, options.records)
        ]


def delivery(rows: pa.Table, number: int, moment: datetime) -> Delivery:
    """Return trades as one delivery."""
    (only,) = rows.combine_chunks().to_batches()
    batch = Batch(kind=Trade, producer="bench/1", lane=number % LANES, first=number, sent_at=moment, rows=only)
    return Delivery(stream="trades", shard=str(number % 4), sequence=number, data=pack(batch), arrived_at=moment)


def made_beforehand(dataset: Dataset, deliveries: Sequence[Delivery]) -> pa.Table:
    """Return the rows that landing deliveries commits, for a bare append."""
    incoming = read_deliveries(deliveries, Trade)
    rows = fact_rows(dataset, normalise(incoming.rows).rows, incoming.deliveries)
    at = dataset.schema.get_field_index("ingested_at")
    stamp = pa.repeat(pa.scalar(START, INSTANT), rows.num_rows)
    return sorted_by(rows.add_column(at, dataset.schema.field(at), stamp), dataset.sort_names).combine_chunks()


def measure(options: argparse.Namespace) -> Result:
    """Make the tables, let them take turns, count their rows."""
    turns, size = options.before + 1 + options.repeats, options.deliveries * options.records
    with tempfile.TemporaryDirectory() as folder:
        catalog = SqlCatalog("bench", uri=f"sqlite:///{folder}/catalog.db", warehouse=Path(folder).as_uri())
        ensure_database(catalog, DATABASE)
        kinds = [replace(TRADES, name=f"trades_{number}") for number in range(3)]
        migrate(catalog, DATABASE, folder, kinds)
        store = FactStore(catalog, DATABASE, clock=lambda: datetime.now(UTC))
        bare = load_table(catalog, DATABASE, kinds[0].name).append
        fresh, with_again = calls(options, again=False), calls(options, again=True)
        sent = [next(fresh) for _ in range(turns)]
        contestants: dict[str, Callable[[], object]] = {
            "bare": _each(bare, [made_beforehand(kinds[0], one) for one in sent]),
            "lander": _each(_lander(kinds[1], store).land, sent),
            "lander, redelivered": _each(_lander(kinds[2], store).land, [next(with_again) for _ in range(turns)]),
        }
        for _ in range(options.before):
            for run in contestants.values():
                run()
        timings = take_turns(contestants, repeats=options.repeats)
        for kind in kinds:
            held = load_table(catalog, DATABASE, kind.name).scan().count()
            if held != turns * size:
                raise RowsMissingError(table=kind.name, held=held, wanted=turns * size)
        catalog.close()
    plain = timings["bare"].median
    findings = [Finding(f"{name}, p50 of a call", timing.median * 1e3, "ms") for name, timing in timings.items()]
    findings += [
        at_least("records into a committed append", size / timings["lander"].median, 20_000, "a second"),
        at_least("with 5 % of them twice", size / timings["lander, redelivered"].median, 20_000, "a second"),
        Finding("bare append of the same rows", size / plain, "a second"),
        at_most("lander: p50 against bare", timings["lander"].median / plain, 2.5, "times"),
    ]
    details = {"deliveries": options.deliveries, "records": options.records, "commits_before": options.before}
    return Result("landing", findings, details | {name: timing.as_dict() for name, timing in timings.items()})


def _lander(dataset: Dataset, store: FactStore) -> Lander:
    return Lander(TRADES_STREAM, dataset, store, normalise=normalise)


def _each(run: Callable[[Any], object], ready: Sequence[Any]) -> Callable[[], None]:
    waiting = iter(ready)
    return partial(_next, run, waiting)


def _next(run: Callable[[Any], object], waiting: Iterator[Any]) -> None:
    run(next(waiting))


def main() -> None:
    """Read the options, measure, print."""
    made = parser("records from deliveries into a committed append, against a bare PyIceberg append", repeats=20)
    made.add_argument("--deliveries", type=int, default=100, help="deliveries of one call")
    made.add_argument("--records", type=int, default=100, help="trades of one delivery")
    made.add_argument("--symbols", type=int, default=1_000, help="symbols traded")
    made.add_argument("--before", type=int, default=20, help="commits each table has had before")
    options = made.parse_args()
    publish(measure(options), as_json=options.json)


if __name__ == "__main__":
    main()
