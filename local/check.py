"""`make check`: what guards a merge besides the tests. Each check is a command or a scan; all are shown."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.addresses import find_addresses
from local.console import Console
from local.ground.config import PROJECT

_LOCKS: Final = (".lock", "package-lock.json")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a check ended: what it found, nothing when it passed."""

    name: str
    findings: str
    seconds: float


def tracked_files() -> list[Path]:
    """Return the files that belong to the project, relative to it: tracked, or new and not ignored."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(name) for name in listing.stdout.split("\0") if name and (PROJECT / name).is_file()]


def command_findings(command: Sequence[str]) -> str:
    """Run a command; return what it printed when it failed, else nothing."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=PROJECT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"exit code {done.returncode}"


def secret_findings(files: Iterable[Path]) -> str:
    """Scan files for secrets; digests in lock files are not."""
    names = [str(name) for name in files if not name.name.endswith(_LOCKS)]
    return command_findings(["detect_secrets.pre_commit_hook", *names])


def address_findings(files: Iterable[Path]) -> str:
    """Scan files for addresses of package indexes and paths of this machine."""
    return "\n".join(find_addresses(PROJECT, files))


def checks(files: Sequence[Path]) -> dict[str, Callable[[], str]]:
    """Return every check by name."""
    return {
        "lint": lambda: command_findings(["ruff", "check", "--quiet", "."]),
        "format": lambda: command_findings(["ruff", "format", "--quiet", "--diff", "."]),
        "types": lambda: command_findings(["mypy"]),
        "laws": lambda: command_findings(["pytest", "-q", "-p", "no:xdist", "tests/unit/test_laws.py"]),
        "secrets": lambda: secret_findings(files),
        "addresses": lambda: address_findings(files),
    }


def main() -> int:
    """Run every check, show each, and return 1 when one found something."""
    console = Console()
    todo = checks(tracked_files())

    def run(name: str) -> Outcome:
        started = time.monotonic()
        return Outcome(name, todo[name](), time.monotonic() - started)

    failed = 0
    with ThreadPoolExecutor(max_workers=2) as pool:
        for outcome in pool.map(run, todo):
            console.verdict(outcome.name, outcome.findings, outcome.seconds)
            failed += bool(outcome.findings)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
