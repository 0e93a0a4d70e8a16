"""Everything goes wrong at once, and a table of what came of it.

    python -m tests.chaos [--trades 1000000] [--seed 2026] [--roughness 1] [--json] [--page docs/chaos.md]

The table has a row for each fault: how often it was injected, and what was kept. What is compared with what is told
in :mod:`tests.chaos.verdict`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.chaos import verdict
from tests.chaos.page import page_of
from tests.chaos.run import Chaos, run
from tests.chaos.story import Size

SUBJECTS = {
    "trades": "trades in the lake, against those sent",
    "bars": "bars, against a batch recomputation",
    "features": "rolling features, against their history from scratch",
    "derived": "derived records, each number of a lane once",
    "gaps": "trade ids known to be missing, against those that are",
}


def main() -> None:
    """Run, judge, tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="everything goes wrong at once")
    parser.add_argument("--trades", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--roughness", type=int, default=1, help="how many times as often things fail")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--page", type=Path, help="write the outcome to this page")
    asked = parser.parse_args()
    console = Console(stderr=True)
    size = Size(seconds=300, crypto=100, exchange=20, per_second=max(1, asked.trades // 300 + 27))
    with Progress(console=console, disable=asked.json or not console.is_terminal) as bar:
        task = bar.add_task("streaming", total=size.seconds)
        chaos = run(
            size,
            asked.seed,
            roughness=asked.roughness,
            progress=lambda done, of: bar.update(task, completed=done + 1, total=of),
        )
    found = outcome(chaos) | {"asked": asked.trades, "subjects": SUBJECTS}
    if asked.page is not None:
        asked.page.write_text(page_of(found), encoding="utf-8")
    if asked.json:
        print(json.dumps(found, indent=2))
    else:
        show(found, Console())
    sys.exit(0 if found["holds"] else 1)


def outcome(chaos: Chaos) -> dict[str, Any]:
    """Return what was injected, and what came of it."""
    compared = {name: getattr(verdict, name)(chaos) for name in SUBJECTS}
    refused = verdict.refused(chaos)
    failures = Counter[str]()
    for mapping in chaos.system.mappings.values():
        failures.update(mapping.failures)
    return {
        "injected": dict(sorted((chaos.weather.injected + chaos.story.injected).items())),
        "refused": {rule: {"injected": sent, "kept": kept} for rule, (sent, kept) in refused.items()},
        "compared": {name: vars(one) | {"holds": one.holds} for name, one in compared.items()},
        "invocations": {name: mapping.invocations for name, mapping in chaos.system.mappings.items()},
        "failed_invocations": dict(failures),
        "sent_again_after_repair": chaos.lost,
        "holds": all(one.holds for one in compared.values()) and all(a == b for a, b in refused.values()),
    }


def show(found: dict[str, Any], console: Console) -> None:
    """Print the tables."""
    faults = Table("fault", "injected", title="what went wrong", title_justify="left")
    faults.columns[1].justify = "right"
    for fault, count in found["injected"].items():
        faults.add_row(fault, f"{count:,}")
    console.print(faults)
    refused = Table("refused by rule", "injected", "in quarantine", title="what was refused", title_justify="left")
    for rule, told in found["refused"].items():
        refused.add_row(rule, f"{told['injected']:,}", f"{told['kept']:,}")
    console.print(refused)
    kept = Table("what", "expected", "lost", "doubled", "different", title="what was kept", title_justify="left")
    for name, told in found["compared"].items():
        style = "green" if told["holds"] else "bold red"
        counts = (f"{told[key]:,}" for key in ("expected", "lost", "doubled", "different"))
        kept.add_row(SUBJECTS[name], *counts, style=style)
    console.print(kept)
    invoked, failed = sum(found["invocations"].values()), sum(found["failed_invocations"].values())
    console.print(f"{invoked:,} invocations, {failed:,} of them killed or failed and done again")


if __name__ == "__main__":
    main()
