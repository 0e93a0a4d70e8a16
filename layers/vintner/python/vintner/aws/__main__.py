"""What is run beside a deployment: ``python -m vintner.aws migrate | publish | revisions | maintain | …``.

The deployment is named by the environment, as it is for the functions (:class:`vintner.aws.settings.Settings`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from pyiceberg.catalog import Catalog

from vintner.aws import bars_commands, dead_letters_commands, gap_commands, replay_commands, state_commands
from vintner.aws.catalog import open_catalog
from vintner.aws.lake_commands import COMMANDS as LAKE_COMMANDS
from vintner.aws.lake_commands import OPTIONS, Rows, aligned
from vintner.aws.ledger import rebuild_ledger
from vintner.aws.online import DynamoOnlineStore
from vintner.aws.rebuild import rebuild_online
from vintner.aws.settings import Settings
from vintner.aws.stored import list_files
from vintner.datasets import DATASETS
from vintner.errors import VintnerError
from vintner.lake import LakeReader, NoMetadataError, declarations, migrate, register_table
from vintner.lake.handle import Lake


def migrate_tables(settings: Settings) -> Rows:
    """Create and evolve the tables; one row a change.

    A table that the catalog does not have, but whose metadata lies in the warehouse, is registered and not made anew.
    """
    catalog = open_catalog(settings)
    back = _register(catalog, settings, newest=False)
    changes = migrate(catalog, settings.glue_database, settings.warehouse, DATASETS.values())
    return [*back, *(asdict(change) for change in changes)]


def register_tables(settings: Settings) -> Rows:
    """Bring tables back that the catalog lost, or has at an older version than there is; one row a table."""
    return _register(open_catalog(settings), settings, newest=True)


def _register(catalog: Catalog, settings: Settings, *, newest: bool) -> Rows:
    found: Rows = []
    for declared in declarations(DATASETS.values()):
        name = declared.name
        where = (catalog, settings.glue_database, settings.warehouse, name, list_files, DATASETS.get(name))
        try:
            mended = register_table(*where, newest=newest)
        except NoMetadataError:
            continue  # it has never been created
        if mended is not None:
            found.append(asdict(mended))
    return found


def rebuild(settings: Settings) -> Rows:
    """Put every version of the lake into the online store; one row a dataset."""
    reader = LakeReader(open_catalog(settings), settings.glue_database)
    store = DynamoOnlineStore(settings.online_table, region=settings.region)
    served = [dataset for dataset in DATASETS.values() if dataset.served]
    put = rebuild_online(reader, store, served, _progress, now=datetime.now(UTC))
    return [{"dataset": name, "versions": count} for name, count in put.items()]


COMMANDS: Final[Mapping[str, tuple[Callable[[Settings], Rows], str]]] = {
    "migrate": (migrate_tables, "create the declared tables, or evolve them; changes nothing the second time"),
    "register-tables": (
        register_tables,
        "bring tables back that the catalog lost or has at an older version; nobody may be writing",
    ),
    "rebuild-online": (rebuild, "put every version of the lake into the online store"),
    "rebuild-ledger": (rebuild_ledger, "claim the id of every order state and fill of the lake"),
}
"""Commands without options; those of the lake are in :mod:`vintner.aws.lake_commands`."""

_GROUPS: Final = (bars_commands, dead_letters_commands, gap_commands, replay_commands, state_commands)
GROUPS: Final = {one.NAME: one for one in _GROUPS}
"""Modules with commands and options of their own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m vintner.aws", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print rows as JSON")
    commands = parser.add_subparsers(dest="command", required=True)
    options = dict.fromkeys(COMMANDS, ()) | {name: one.options for name, one in LAKE_COMMANDS.items()}
    texts = {name: text for name, (_, text) in COMMANDS.items()} | {n: one.help for n, one in LAKE_COMMANDS.items()}
    for name, text in texts.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print rows as JSON")
        for option in options[name]:
            command.add_argument(f"--{option.rstrip('?')}", **OPTIONS[option])
    for others in GROUPS.values():
        others.add_to(commands)
    try:
        chosen = parser.parse_args(arguments)
        rows = _run(chosen)
    except VintnerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(rows) if chosen.json else aligned(rows))
    return 0


def _run(chosen: argparse.Namespace) -> Rows:
    if chosen.command in GROUPS:
        rows: Rows = GROUPS[chosen.command].run(chosen)
        return rows
    settings = Settings.from_environment()
    if chosen.command in COMMANDS:
        return COMMANDS[chosen.command][0](settings)
    lake = Lake(open_catalog(settings), settings.glue_database, lambda: datetime.now(UTC))
    return LAKE_COMMANDS[chosen.command].run(lake, chosen)


def _progress(dataset: str, done: int, rows: int) -> None:
    print(f"{dataset}: {done:,} of {rows:,} versions", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
