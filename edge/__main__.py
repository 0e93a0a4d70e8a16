"""What runs beside a venue: ``python -m edge ws | capture-server``.

``ws`` needs the credentials of a role that may write the market data streams; the deployment is named by
``--environment``. It logs JSON lines, and ends on SIGINT and SIGTERM after everything was sent or is in its spool.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.binance import CHANNELS, URLS, BinanceAdapter
from edge.capture import CaptureServer
from edge.client import ClientSettings, WebSocketClient
from edge.refusals import RefusalFile
from vintner.aws.streams import KinesisPut
from vintner.errors import VintnerError
from vintner.messaging.ingress import Break, Ingress
from vintner.messaging.publisher import Publisher
from vintner.messaging.spool import Spool
from vintner.messaging.streams import L1, TRADES, Stream


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        code: int = asyncio.run(chosen.run(chosen))
    except VintnerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return code


async def listen(chosen: argparse.Namespace) -> int:
    """Listen to a venue and publish its trades and quotes."""
    adapter = BinanceAdapter(chosen.venue, tuple(chosen.symbols.split(",")), tuple(chosen.channels.split(",")))
    folder, started = Path(chosen.spool), clock()
    producer = f"{chosen.venue}-ws/{int(started.timestamp() * 1000)}"
    with contextlib.ExitStack() as stack:

        def publisher(stream: Stream) -> Publisher:
            spool = stack.enter_context(Spool(folder / stream.resource_name))
            for damage in spool.damaged:
                report("spool damaged", segment=damage.segment, offset=damage.offset, size=damage.size)
            return Publisher(
                KinesisPut(region=chosen.region),
                stream, producer=producer, environment_name=chosen.environment, clock=clock,
                spool=spool, seed=os.getpid(),
            )  # fmt: skip

        refusals = RefusalFile(folder / "refused.jsonl")
        streams = [{"trade": TRADES, "bookTicker": L1}[channel] for channel in adapter.channels]
        ingress = Ingress(adapter, map(publisher, streams), refused=refusals.keep, broken=_report_break)
        client = WebSocketClient(
            chosen.url or URLS[chosen.venue], hello=adapter.on_connect, taker=ingress, clock=clock, report=report,
            settings=ClientSettings(stale_after=chosen.stale_after), seed=os.getpid(),
        )  # fmt: skip
        await client.run(_stopped(chosen.seconds))
        counts = ingress.counts
        report(
            "ended", messages=counts.messages, records=counts.records, refused=counts.refused, breaks=counts.breaks,
            waiting={name: receipt.spooled + receipt.buffered for name, receipt in ingress.waiting.items()},
        )  # fmt: skip
    return 0


async def play(chosen: argparse.Namespace) -> int:
    """Play a capture to whoever subscribes."""
    server = CaptureServer(Path(chosen.file), speed=chosen.speed)
    ready = asyncio.get_running_loop().create_future()
    ready.add_done_callback(lambda port: report("serving", url=f"ws://127.0.0.1:{port.result()}/stream"))
    played = await server.run(chosen.port, ready=ready)
    report("played", messages=played)
    return 0


def clock() -> datetime:
    """The present."""
    return datetime.now(UTC)


def report(event: str, **details: Any) -> None:
    """Log what happened as a line of JSON."""
    print(json.dumps({"at": clock().isoformat(), "event": event, **details}, default=str), flush=True)


def _report_break(found: Break) -> None:
    missing = {"first_missing": found.missing.start, "last_missing": found.missing.stop - 1}
    report("break", key=found.key, **missing, seen_at=found.seen_at)


def _stopped(seconds: float | None) -> asyncio.Event:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if seconds is not None:
        loop.call_later(seconds, stop.set)
    return stop


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m edge", description=__doc__)
    commands = parser.add_subparsers(required=True)
    ws = commands.add_parser("ws", help="listen to a venue and publish its trades and quotes")
    ws.add_argument("--venue", required=True, choices=sorted(URLS), help="which venue")
    ws.add_argument("--symbols", required=True, help="symbols as the venue writes them, separated by commas")
    ws.add_argument("--environment", required=True, help="name of the deployment")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    ws.add_argument("--region", default=region, required=region is None, help="region of the deployment")
    ws.add_argument("--channels", default=",".join(CHANNELS), type=_channels, help="trade, bookTicker or both")
    ws.add_argument("--url", help="address to connect to instead of the venue's")
    ws.add_argument("--spool", default="build/edge", help="folder for what waits and what was refused")
    ws.add_argument("--stale-after", type=float, default=10.0, help="seconds of silence after which to reconnect")
    ws.add_argument("--seconds", type=float, help="end after so many seconds")
    ws.set_defaults(run=listen)
    server = commands.add_parser("capture-server", help="play a capture to whoever subscribes, on this machine")
    server.add_argument("file", help="lines of a time in ns and JSON, gzip or plain")
    server.add_argument("--speed", type=float, default=1.0, help="times faster than recorded; 0: as fast as taken")
    server.add_argument("--port", type=int, default=0, help="port to listen on; 0: a free one")
    server.set_defaults(run=play)
    return parser


def _channels(text: str) -> str:
    if unknown := set(text.split(",")) - set(CHANNELS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: there are {', '.join(CHANNELS)}")
    return text


if __name__ == "__main__":
    sys.exit(main())
