"""Gaps from the command line: ``python -m vintner.aws gaps list | show | repair``.

``list`` tells the gaps as they are known now, or were at an instant; ``show`` the life of one; ``repair`` does now what
the function does each minute, for one gap or for all that are due. Each may be given again, and beside the function.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from vintner.aws.catalog import open_catalog
from vintner.aws.gaps import GapSettings, now, open_workshop
from vintner.aws.lake_commands import instant
from vintner.aws.progress import ProgressLine
from vintner.aws.settings import Settings
from vintner.aws.streams import KinesisPut
from vintner.lake.handle import Lake
from vintner.marketdata.gaps import Gap, UnknownGapError, repair
from vintner.marketdata.gaps.lake import MEMORY, known_gaps, life_of

NAME: Final = "gaps"
Rows = list[dict[str, Any]]


def add_to(commands: Any) -> None:
    """Add ``gaps`` and its commands to a parser's."""
    text = "list, show and repair what should have come and did not"
    actions = commands.add_parser(NAME, help=text, description=__doc__).add_subparsers(dest="action", required=True)
    for name, (_, told) in ACTIONS.items():
        action = actions.add_parser(name, help=told, description=told)
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print rows as JSON")
        if name == "list":
            action.add_argument("--all", action="store_true", help="those that have ended too")
            action.add_argument("--instrument", help="of one instrument")
            action.add_argument("--days", type=float, default=MEMORY / timedelta(days=1), help="opened in so many days")
            action.add_argument("--as-of", help="as they were known at an instant, with an offset")
        else:
            action.add_argument("gap", nargs="?" if name == "repair" else None, help="id of the gap")


def run(chosen: argparse.Namespace) -> Rows:
    """Run a command; return rows to print."""
    does, _ = ACTIONS[chosen.action]
    settings = Settings.from_environment()
    return does(Lake(open_catalog(settings), settings.glue_database, now), chosen)


def show_list(lake: Lake, chosen: argparse.Namespace) -> Rows:
    """List gaps, the oldest first."""
    known_at = instant(chosen.as_of) if chosen.as_of else None
    since = (known_at or now()) - timedelta(days=chosen.days)
    gaps = known_gaps(lake, since=since, known_at=known_at).values()
    wanted = [gap for gap in gaps if chosen.all or not gap.has_ended]
    return [_row(gap) for gap in wanted if chosen.instrument in (None, gap.instrument)]


def show_one(lake: Lake, chosen: argparse.Namespace) -> Rows:
    """Show every revision of a gap, as it became known."""
    life = _found(life_of(lake, chosen.gap), chosen.gap)
    return [{"known_at": gap.known_at.isoformat()} | _row(gap) | {"reason": gap.reason} for gap in life]


def repair_now(lake: Lake, chosen: argparse.Namespace) -> Rows:
    """Do one attempt on a gap, or on all that have not ended; what is not due or worked on elsewhere is left."""
    shop = open_workshop(GapSettings.from_environment(), lake, KinesisPut())
    if chosen.gap:
        todo = [_found(life_of(lake, chosen.gap), chosen.gap)[-1]]
    else:
        todo = [gap for gap in known_gaps(lake, since=now() - MEMORY).values() if not gap.has_ended]
    line, done = ProgressLine(), list[Gap]()
    for gap in todo:
        done.append(repair(gap, shop))
        line("gaps", len(done), len(todo))
    return [_row(gap) | {"reason": gap.reason} for gap in done]


ACTIONS: Final[Mapping[str, tuple[Callable[[Lake, argparse.Namespace], Rows], str]]] = {
    "list": (show_list, "list the gaps that have not ended"),
    "show": (show_one, "show the life of one gap"),
    "repair": (repair_now, "work on one gap, or on all that are due"),
}


def _found(life: list[Gap], gap: str) -> list[Gap]:
    if not life:
        raise UnknownGapError(gap=gap)
    return life


def _row(gap: Gap) -> dict[str, Any]:
    first, last = (gap.first_missing, gap.last_missing) if gap.missing_from is None else _times(gap)
    return {
        "gap": gap.gap_id,
        "kind": gap.kind.value,
        "instrument": gap.instrument,
        "first": first,
        "last": last,
        "missing": gap.missing_rows,
        "opened_at": gap.opened_at.isoformat(),
        "state": gap.state.value,
        "cause": gap.cause.value,
        "attempts": gap.attempts,
        "repaired_by": gap.repaired_by,
        "repaired_rows": gap.repaired_rows,
    }


def _times(gap: Gap) -> tuple[Any, Any]:
    start, end = (None if one is None else one.isoformat() for one in (gap.missing_from, gap.missing_to))
    return start, end
