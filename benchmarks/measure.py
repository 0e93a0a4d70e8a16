"""What every measuring command shares: taking turns, peak memory, the machine, and one form of result.

A command measures its contestants in one run, prints a table, and with ``--json`` one document::

    {"claim": "as_of_join", "command": "python -m benchmarks.as_of_join --spine 10000000",
     "findings": [{"what": …, "value": …, "unit": …, "target": …, "met": …}, …],
     "machine": {…}, "versions": {…}, "details": {…}}

The findings are what a page shows; the details hold every time that was taken.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import resource
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from vintner.errors import VintnerError

PROJECT: Final = Path(__file__).resolve().parent.parent
BUILD: Final = PROJECT / "build" / "benchmarks"
"""Where generated data, environments of other systems and results are kept; nothing in it is part of the project."""

GIB: Final = 2**30
_PACKAGES: Final = ("vintner", "pyarrow", "duckdb", "polars", "numpy")


class ChildProcessFailedError(VintnerError, RuntimeError):
    """A measured process did not end well."""

    template = "{command} ended with code {code}: {output}; run it by itself to see more"


@dataclass(frozen=True, slots=True)
class Timing:
    """The times one contestant took, in seconds, in the order they were taken."""

    seconds: tuple[float, ...]

    @property
    def best(self) -> float:
        """Shortest time: what the machine can do when nothing disturbs it."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """Middle time: what to expect."""
        return statistics.median(self.seconds)

    def as_dict(self) -> dict[str, Any]:
        """Return best, median and every time."""
        return {"best": self.best, "median": self.median, "all": list(self.seconds)}


@dataclass(frozen=True, slots=True)
class Finding:
    """One measured number beside what it was promised to be.

    Parameters
    ----------
    what, value, unit
        The number.
    target
        The promise, as a sentence such as "at most 1.5"; empty when the number is only reported.
    met
        Whether the promise was kept; None when there is none.
    """

    what: str
    value: float
    unit: str
    target: str = ""
    met: bool | None = None


def at_most(what: str, value: float, limit: float, unit: str) -> Finding:
    """Return a finding that promised not to exceed ``limit``.

    Examples
    --------
    >>> at_most("time", 0.9, 1.0, "s").met, at_most("time", 1.1, 1.0, "s").target
    (True, 'at most 1')
    """
    return Finding(what, value, unit, f"at most {limit:,g}", value <= limit)


def at_least(what: str, value: float, limit: float, unit: str) -> Finding:
    """Return a finding that promised not to fall below ``limit``."""
    return Finding(what, value, unit, f"at least {limit:,.7g}", value >= limit)


@dataclass(frozen=True, slots=True)
class Result:
    """What a measuring command found."""

    claim: str
    findings: Sequence[Finding]
    details: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def take_turns(
    contestants: Mapping[str, Callable[[], object]], *, repeats: int, warm_up: bool = True
) -> dict[str, Timing]:
    """Time each contestant ``repeats`` times, in turns, so that a busy moment hits all alike.

    Parameters
    ----------
    contestants
        What to run, by name. What a run returns is freed before the next one starts.
    repeats
        How many times are kept.
    warm_up
        Whether a first, unkept round fills caches.
    """
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repeats + warm_up):
        for name, run in contestants.items():
            gc.collect()
            start = time.perf_counter()
            run()
            seconds = time.perf_counter() - start
            if turn >= warm_up:
                taken[name].append(seconds)
    return {name: Timing(tuple(seconds)) for name, seconds in taken.items()}


def resident_bytes() -> tuple[int, int]:
    """Return how much memory this process holds now, and the most it ever held since it was started (bytes)."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: a child inherits there what its parent held when it was started.
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
        now, most = (int(lines[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
        return now, most
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return most, most


def in_fresh_process(module: str, *arguments: str) -> dict[str, Any]:
    """Run ``python -m module arguments`` in a process of its own and return the JSON document it prints."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        output = (done.stderr or done.stdout).strip()[-2000:]
        raise ChildProcessFailedError(command=shlex.join(command[1:]), code=done.returncode, output=output)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def machine() -> dict[str, Any]:
    """Return what this machine is: processor, cores this process may use, memory in GiB, system, Python."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return {
        "processor": _processor(),
        "cores": cores,
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def versions(*more: str) -> dict[str, str]:
    """Return the versions of the packages that were measured."""
    found = {}
    for name in (*_PACKAGES, *more):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def parser(description: str, *, repeats: int = 5) -> argparse.ArgumentParser:
    """Return a parser with the options every measuring command has."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    made.add_argument("--repeats", type=int, default=repeats, help="times kept per contestant; they take turns")
    made.add_argument("--seed", type=int, default=7, help="seed of the data")
    made.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    return made


def publish(result: Result, *, as_json: bool) -> None:
    """Print a result: a table for a person, one JSON document for a program."""
    full = Result(
        result.claim,
        result.findings,
        result.details,
        result.command or _command(),
        result.machine or machine(),
        result.versions or versions(),
    )
    if as_json:
        sys.stdout.write(json.dumps(asdict(full)) + "\n")
        return
    show(full)


def show(result: Result) -> None:
    """Print a result as a table."""
    where = result.machine
    title = f"{result.claim}: {where.get('cores')} cores of {where.get('processor')}, Python {where.get('python')}"
    table = Table("what", "measured", "target", "", title=title, title_justify="left")
    for finding in result.findings:
        mark = {True: "[green]met[/green]", False: "[red]missed[/red]", None: ""}[finding.met]
        table.add_row(finding.what, f"{number(finding.value)} {finding.unit}", finding.target, mark)
    Console().print(table)


def number(value: float) -> str:
    """Return a number with as many digits as matter.

    Examples
    --------
    >>> number(12_345_678.9), number(1234.5), number(12.34), number(0.98765), number(0.00123)
    ('12,345,679', '1,234', '12.3', '0.988', '0.00123')
    """
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.3g}"


def progress() -> Progress:
    """Return a progress bar on standard error, so that standard output stays the result alone."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _command() -> str:
    module = getattr(sys.modules["__main__"], "__spec__", None)
    name = module.name.removesuffix(".__main__") if module else Path(sys.argv[0]).name
    arguments = [argument for argument in sys.argv[1:] if argument != "--json"]
    return shlex.join(["python", *(["-m"] if module else []), name, *arguments])


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
