"""Replay from the command line: a span of a stream, from the lake, into a stream or a function.

    python -m vintner.aws replay --stream market_data.trades --id rerun-1 --clock event \
        --from 2026-01-05T14:30:00+00:00 --to 2026-01-05T21:00:00+00:00 --speed 10 --into-function trades_processor

Given again with the same ``--progress`` file it goes on where it was stopped. Each replay needs an id of its own:
consumers drop what they have seen of a producer.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from vintner.aws.catalog import open_catalog
from vintner.aws.lake_commands import instant
from vintner.aws.progress import ProgressLine
from vintner.aws.replay import LambdaInvoke, NamedPut, Plan, replay_from_lake
from vintner.aws.settings import Settings
from vintner.aws.streams import KinesisPut
from vintner.lake.handle import Lake
from vintner.messaging.delivery_lanes import PutRecords
from vintner.messaging.replay import FunctionPut, Progress, ReplayClock, Span, speed_of
from vintner.messaging.streams import stream_named

NAME: Final = "replay"
Rows = list[dict[str, Any]]


def add_to(commands: Any) -> None:
    """Add ``replay`` to a parser's commands."""
    command = commands.add_parser(NAME, help="send a span of a stream once more, from the lake", description=__doc__)
    command.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print rows as JSON")
    command.add_argument("--stream", required=True, help="declared stream, for instance market_data.trades")
    command.add_argument("--id", required=True, help="name of this replay, one of its own")
    command.add_argument("--clock", choices=[one.value for one in ReplayClock], default="knowledge", help="of the span")
    command.add_argument("--from", dest="start", required=True, help="start of the span, with an offset")
    command.add_argument("--to", dest="end", required=True, help="end of the span, not included")
    command.add_argument("--speed", default="max", help="1 is as it was, 10 ten times as fast, or max")
    where = command.add_mutually_exclusive_group(required=True)
    where.add_argument("--into-stream", help="Kinesis stream, or a declared stream of this deployment")
    where.add_argument("--into-function", help="Lambda function, or the folder of one of this deployment")
    command.add_argument("--progress", type=Path, help="file that keeps how far it is, to go on after a stop")


def run(chosen: argparse.Namespace) -> Rows:
    """Replay; return what was sent."""
    settings, stream = Settings.from_environment(), stream_named(chosen.stream)
    span = Span(ReplayClock(chosen.clock), instant(chosen.start), instant(chosen.end))
    lake = Lake(open_catalog(settings), settings.glue_database, lambda: datetime.now(UTC))
    into = _name(settings, chosen.into_stream or chosen.into_function)
    done = replay_from_lake(
        lake,
        Plan(replay_id=chosen.id, stream=stream, span=span, into=into),
        put=partial(_way_out, chosen, stream.record, into),
        environment_name=settings.environment,
        speed=speed_of(chosen.speed),
        kept_in=chosen.progress,
        told=ProgressLine(),
    )
    return [{"replay": chosen.id, "into": into, "records": done.records, "deliveries": done.deliveries}]


def _way_out(chosen: argparse.Namespace, kind: type[Any], into: str, done: Progress) -> PutRecords:
    if chosen.into_stream:
        return NamedPut(KinesisPut(), into)
    return FunctionPut(LambdaInvoke(into), kind=kind, replay_id=chosen.id, first=done.deliveries)


def _name(settings: Settings, given: str) -> str:
    """Return the full name of a stream or function; the short form has dots or underscores."""
    short = given.replace(".", "-").replace("_", "-")
    return given if short == given else f"vintner-{settings.environment}-{short}"
