"""``python -m local.demo``: what ``make demo`` runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from local.demo.screen import BAD, Screen
from local.demo.story import tell
from vintner.errors import VintnerError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=main.__doc__)
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="your own files (see docs/your-data.md)")
    parser.add_argument("--json", action="store_true", help="print the report; the story goes to standard error")
    parser.add_argument("--keep", action="store_true", help="leave the ground running at the end")
    chosen = parser.parse_args(arguments)
    screen = Screen(to_stderr=chosen.json)
    try:
        report = tell(chosen.data, screen, keep=chosen.keep)
    except VintnerError as error:
        screen.console.print(f"\n[{BAD}]The demonstration failed:[/]", end=" ")
        screen.console.print(str(error), markup=False)
        return 1
    except KeyboardInterrupt:
        screen.console.print("\nStopped; nothing is left running.")
        return 130
    if chosen.json:
        print(report.model_dump_json(indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
