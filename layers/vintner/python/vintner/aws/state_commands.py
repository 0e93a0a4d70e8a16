"""A processor's state from the command line: ``python -m vintner.aws rebuild-state trades_processor``.

For when ``StateLostError`` or ``SnapshotError`` says that neither the snapshot nor the stream has the state, after a
stream was made anew, or after a ground was killed. The processor must not be consuming; one that fails for its state is
lost does not. What its landers have of the streams it derives should be all there is: wait until they are done.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any, Final

from vintner.aws.catalog import open_catalog
from vintner.aws.lake_commands import instant
from vintner.aws.processing import ProcessingSettings, Processor
from vintner.aws.processors import features_processor, quotes_processor, trades_processor
from vintner.aws.progress import ProgressLine
from vintner.aws.rebuild_state import StateRebuilding
from vintner.aws.shards import KinesisShards
from vintner.lake.handle import Lake
from vintner.messaging.streams import Stream

NAME: Final = "rebuild-state"
PROCESSORS: Final = {made.__name__: made for made in (trades_processor, quotes_processor, features_processor)}
Rows = list[dict[str, Any]]


def add_to(commands: Any) -> None:
    """Add ``rebuild-state`` to a parser's commands."""
    command = commands.add_parser(NAME, help="make a processor's state anew, from the lake", description=__doc__)
    command.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print rows as JSON")
    command.add_argument("processor", choices=sorted(PROCESSORS), help="whose state")
    command.add_argument("--since", help="what was known from then on is read, with an offset; else what it may need")


def run(chosen: argparse.Namespace) -> Rows:
    """Rebuild; return a row for each shard, then one for each stream that something was told in."""
    settings, processor = ProcessingSettings.from_environment(), _named(chosen.processor)

    def shards_of(stream: Stream) -> tuple[KinesisShards, str]:
        name = settings.stream(stream.resource_name)
        return KinesisShards(name), name

    rebuilding = StateRebuilding(
        processor.parts(settings),
        Lake(open_catalog(settings), settings.glue_database, lambda: datetime.now(UTC)),
        shards_of=shards_of,
        since=instant(chosen.since) if chosen.since else None,
        shown=ProgressLine(),
    )
    return rebuilding.run()


def _named(name: str) -> Processor:
    return PROCESSORS[name]()
