"""What a million trades cost in an account, from measured times and sizes and AWS's list prices in us-east-1.

    python -m benchmarks.stream_cost [--symbols N] [--seconds N] [--json]

Three traffics (100, 10,000 and 50,000 trades a second of 1,000 symbols) go through the platform as production is sized
(``infra/environments/prod.py``): shards, retention, memory, batches and windows are read from there.

1. *Measured here*: one shard of the trades stream for a minute of stream at each traffic, a producer with the
   platform's own limits and heartbeats before it, the processors of trades and of features behind each other
   (:mod:`benchmarks.stream_flow`), and the four landers (:mod:`benchmarks.stream_landing`): times of calls, deliveries,
   bytes, payload units, claims, snapshots, files, items online.
2. *Assumed*, as no network is measured: how long a call waits for each service (:class:`Waits`). It is charged as
   Lambda's time and shown as a line of its own. One vCPU here is taken for one of arm64.
3. *Charged*: Lambda, Kinesis, DynamoDB and requests to S3 at the prices of :mod:`benchmarks.stream_prices`, each with
   its page and date. Not in it: logs, metrics, traces, keys (KMS), Glue, what the lake and the online table store, and
   the other streams of the platform.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks import stream_prices as prices
from benchmarks.measure import Finding, Result, parser, progress, publish
from benchmarks.stream_flow import Flow, Through, flow
from benchmarks.stream_landing import Landing, landing
from benchmarks.stream_material import one_thread
from infra.environments.model import DrainSize
from infra.environments.prod import PROD
from vintner.messaging.streams import BARS, FEATURES_PIT, FEATURES_RAW, TRADES, Role, Stream

TRAFFIC: Final = {"quiet": 100, "busy": 10_000, "peak": 50_000}
"""Trades a second."""
STREAMS: Final = (TRADES, BARS, FEATURES_RAW, FEATURES_PIT)
HOUR: Final = 3_600
MILLION: Final = 1_000_000
_EVENT_BYTES: Final = 6 * 2**20
_DAY: Final = 24
_LANDED: Final = 2_000
"""Trades a second of the minute that the landers are measured with, in one shard."""

SHARDS, PUTS = "Kinesis: shards", "Kinesis: payload units"
PROCESSORS, LANDERS = "Lambda: processors", "Lambda: landers"
WAITING, REQUESTS = "Lambda: waiting for services (assumed)", "Lambda: requests"
CLAIMS, ONLINE = "DynamoDB: claims", "DynamoDB: served online"
S3: Final = "S3: requests"
LINES: Final = (SHARDS, PUTS, PROCESSORS, LANDERS, WAITING, REQUESTS, CLAIMS, ONLINE, S3)

Charged = defaultdict[str, float]
Bill = Mapping[str, float]
"""US dollars an hour, by line."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Milliseconds a call waits for a service: assumptions, not measurements."""

    conditional_write: float = 5
    put_records: float = 15
    snapshot: float = 60
    request_to_s3: float = 30
    catalog: float = 150
    batch_write: float = 10
    batch_items: int = 25
    batches_at_once: int = 8

    def of_call(self, streams: int) -> float:
        """Return the wait of a processor's call: its claim, and one request for each stream it sends to."""
        return self.conditional_write + streams * self.put_records

    def of_landing(self, landing: Landing, items: float) -> float:
        """Return the wait of a lander's call: files, the commit, items online."""
        rounds = math.ceil(items / self.batch_items / self.batches_at_once)
        return self.catalog + (landing.puts + landing.gets) * self.request_to_s3 + rounds * self.batch_write


@dataclass(frozen=True, slots=True)
class Sized:
    """A function of production: how it is fed, and what a second of it costs."""

    drain: DrainSize

    @classmethod
    def of(cls, role: Role) -> Sized:
        """Return the functions of a role."""
        return cls(PROD.consumers[role])

    def cost(self, milliseconds: float) -> float:
        """Return what so many milliseconds cost, US dollars."""
        return prices.LAMBDA_GB_SECOND.of(milliseconds / 1e3 * self.drain.function.memory_mb / 1024)


def bill(found: Flow, landings: Mapping[str, Landing], waits: Waits) -> Bill:
    """Return what an hour costs at the traffic of a flow."""
    charged: Charged = defaultdict(float)
    per_hour = HOUR / found.seconds * PROD.streams[TRADES.name].shards
    for stream in STREAMS:
        _charge_stream(charged, stream, found.streams[stream.resource_name], per_hour)
    for name, streams in (("trades", 2), ("features", 1)):
        _charge_processor(charged, found, name, per_hour, waits.of_call(streams), waits)
    for stream in STREAMS:
        _charge_lander(charged, stream, found.streams[stream.resource_name], per_hour, landings[stream.name], waits)
    return {line: charged[line] for line in LINES}


def _charge_stream(charged: Charged, stream: Stream, through: Through, per_hour: float) -> None:
    shards = PROD.streams[stream.name].shards
    kept = PROD.retention_hours(stream) > _DAY
    charged[SHARDS] += prices.SHARD_HOUR.of(shards) + (prices.KEPT_SHARD_HOUR.of(shards) if kept else 0)
    charged[PUTS] += prices.PUT_UNIT.of(through.put_units * per_hour)


def _charge_processor(charged: Charged, found: Flow, name: str, per_hour: float, wait: float, waits: Waits) -> None:
    calls, function = found.calls[name], Sized.of(Role.PROCESSOR)
    waited = len(calls.milliseconds) * wait + calls.snapshots * waits.snapshot
    charged[PROCESSORS] += function.cost(sum(calls.milliseconds) * per_hour)
    charged[WAITING] += function.cost(waited * per_hour)
    charged[REQUESTS] += prices.LAMBDA_REQUEST.of(len(calls.milliseconds) * per_hour)
    charged[CLAIMS] += prices.WRITE_UNIT.of(calls.claims * per_hour)
    charged[S3] += prices.S3_PUT.of(calls.snapshots * per_hour)


def _charge_lander(
    charged: Charged, stream: Stream, through: Through, per_hour: float, one: Landing, waits: Waits
) -> None:
    function, calls = Sized.of(Role.LANDER), lander_calls(stream, through, per_hour)
    records = through.records * per_hour / calls
    charged[LANDERS] += function.cost(calls * one.milliseconds(records))
    charged[WAITING] += function.cost(calls * waits.of_landing(one, records * one.items))
    charged[REQUESTS] += prices.LAMBDA_REQUEST.of(calls)
    charged[ONLINE] += prices.WRITE_UNIT.of(calls * records * one.units)
    charged[S3] += prices.S3_PUT.of(calls * one.puts) + prices.S3_GET.of(calls * one.gets)


def lander_calls(stream: Stream, through: Through, per_hour: float) -> float:
    """Return calls of a lander an hour: by its window, unless batch or payload are full before."""
    drain = PROD.consumers[Role.LANDER]
    windows = PROD.streams[stream.name].shards * HOUR / drain.batching_window_seconds
    by_count = through.deliveries * per_hour / drain.batch_size
    # A delivery is base64 in the event, with half a kilobyte of JSON around it.
    by_size = (through.bytes * 4 / 3 + through.deliveries * 512) * per_hour / _EVENT_BYTES
    return max(windows, by_count, by_size)


def measure(options: argparse.Namespace) -> Result:
    """Measure flows and landers, and charge them."""
    one_thread()
    waits, shards, flows = Waits(), PROD.streams[TRADES.name].shards, {}
    sizes = options.seconds, options.warm_seconds, options.seed
    with progress() as bar:
        for name, rate in bar.track(TRAFFIC.items(), description="a minute of each traffic"):
            flows[name] = flow(rate * options.share, options.symbols, shards, *sizes)
    landed = flow(_LANDED * options.share, options.symbols, 1, *sizes)
    landings = {stream.name: landing(stream, landed.streams[stream.resource_name].kept) for stream in STREAMS}
    bills = {name: bill(found, landings, waits) for name, found in flows.items()}
    findings = list(_findings(flows, bills, options.share))
    return Result("cost of a million trades", findings, _details(flows, bills, landings, waits, options.share))


def per_million(bill: Bill, rate: float) -> dict[str, float]:
    """Return what a million trades cost at so many a second, US dollars, by line."""
    return {line: usd / (rate * HOUR) * MILLION for line, usd in bill.items()}


def _findings(flows: Mapping[str, Flow], bills: Mapping[str, Bill], share: float) -> Any:
    for name, rate in TRAFFIC.items():
        lines = per_million(bills[name], rate * share)
        what = f"{name}, {rate:,} trades/s"
        yield Finding(f"{what}: a million trades", sum(lines.values()), "USD")
        yield Finding(f"{what}: of it for shards that stand ready", lines[SHARDS], "USD")
        yield Finding(f"{what}: an hour", sum(bills[name].values()), "USD")
        yield Finding(f"{what}: a call of the processor", flows[name].calls["trades"].mean, "ms")
        through = flows[name].streams[TRADES.resource_name]
        yield Finding(f"{what}: a trade on the wire", through.bytes / max(1, through.records), "bytes")


def _details(
    flows: Mapping[str, Flow], bills: Mapping[str, Bill], landings: Mapping[str, Landing], waits: Waits, share: float
) -> dict[str, Any]:
    streams = {name: {s: _counted(through) for s, through in found.streams.items()} for name, found in flows.items()}
    return {
        "usd_per_hour": {name: dict(one) for name, one in bills.items()},
        "usd_per_million": {name: per_million(one, TRAFFIC[name] * share) for name, one in bills.items()},
        "one_shard": streams,
        "calls": {
            name: {who: {"calls": len(c.milliseconds), "mean_ms": c.mean, "snapshots": c.snapshots}
                   for who, c in found.calls.items()} for name, found in flows.items()
        },
        "landers": {name: asdict(one) for name, one in landings.items()},
        "assumed_waits_ms": asdict(waits),
        "prices": {service: [asdict(price) for price in some] for service, some in prices.PRICES.items()},
        "prices_read": {"region": prices.REGION, "on": prices.READ_ON},
    }  # fmt: skip


def _counted(through: Through) -> dict[str, int]:
    return {
        "records": through.records,
        "deliveries": through.deliveries,
        "bytes": through.bytes,
        "put_units": through.put_units,
    }


def show(result: Result) -> None:
    """Print the bill of a million trades and where each price is from."""
    console, told = Console(), result.details["usd_per_million"]
    title = f"USD for a million trades, {prices.REGION}, production's sizes"
    table = Table("what is charged", *(f"{name}\n{rate:,} a second" for name, rate in TRAFFIC.items()), title=title)
    for line in LINES:
        table.add_row(line, *(f"{told[name][line]:,.4f}" for name in TRAFFIC))
    table.add_section()
    table.add_row("in all", *(f"{sum(told[name].values()):,.4f}" for name in TRAFFIC))
    without = (sum(told[name].values()) - told[name][SHARDS] for name in TRAFFIC)
    table.add_row("in all, without the shards that stand ready", *(f"{usd:,.4f}" for usd in without))
    console.print(table)
    listed = Table("price", "USD", "read from", "dated", title=f"list prices, read on {prices.READ_ON}")
    for service, some in prices.PRICES.items():
        for price in some:
            listed.add_row(f"{service}: {price.unit}", f"{price.usd:g} per {price.per:,}", price.page, price.dated)
    console.print(listed)


def main() -> None:
    """Read the options, measure, print."""
    made = parser("what a million trades cost in an account", repeats=1)
    made.add_argument("--symbols", type=int, default=1_000, help="symbols")
    made.add_argument("--seconds", type=int, default=60, help="seconds of stream measured; whole minutes")
    made.add_argument("--warm-seconds", type=int, default=25 * 60, help="seconds of sparse stream before")
    made.add_argument("--share", type=float, default=1.0, help="of the traffic, to try it with less")
    made.add_argument("--quick", action="store_true", help="sizes of seconds, to try it")
    options = made.parse_args()
    if options.quick:
        options.symbols, options.warm_seconds, options.share = 200, 120, 0.2
    result = measure(options)
    if not options.json:
        show(result)
    publish(result, as_json=options.json)


if __name__ == "__main__":
    main()
