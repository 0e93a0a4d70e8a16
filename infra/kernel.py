"""Compile the library's kernel: C sources in, one shared library per platform out, beside the sources.

    python -m infra.kernel [linux-x86_64|linux-aarch64|darwin-aarch64|...] [--checked]

The compiler is the locked package ziglang (a C compiler for every platform in one wheel), so neither this machine's
compiler nor a container decides what comes out. Without a platform it is this machine's. ``--checked`` makes a build
that stops at undefined behaviour, for tests. Needs nothing but the compiler: building a wheel runs it too.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCES: Final = ROOT / "layers" / "vintner" / "python" / "vintner" / "bitemporal" / "kernel"
FLAGS: Final = ("-std=c11", "-shared", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror")
FAST: Final = ("-O3", "-g0", "-s")
# Undefined behaviour becomes an illegal instruction, which no test survives.
CHECKED: Final = ("-O1", "-g", "-fsanitize=undefined", "-fsanitize-trap=undefined")
OLDEST_GLIBC: Final = "2.28"
"""That of the machines pyarrow's wheels are for, Lambda's among them."""


def file_name(system: str = sys.platform, machine: str = "") -> str:
    """Return the library's name for a platform: what ``vintner.bitemporal.kernel`` looks for there.

    Examples
    --------
    >>> file_name("linux", "aarch64"), file_name("darwin", "arm64")
    ('kernel-linux-aarch64.so', 'kernel-darwin-aarch64.dylib')
    """
    suffix = {"darwin": "dylib", "win32": "dll"}.get(system, "so")
    return f"kernel-{system}-{_machine(machine)}.{suffix}"


def target(system: str = sys.platform, machine: str = "") -> str:
    """Return the compiler's name of a platform.

    Examples
    --------
    >>> target("linux", "aarch64"), target("darwin", "arm64")
    ('aarch64-linux-gnu.2.28', 'aarch64-macos')
    """
    machine = _machine(machine)
    named = {"darwin": f"{machine}-macos", "win32": f"{machine}-windows-gnu"}
    return named.get(system, f"{machine}-linux-gnu.{OLDEST_GLIBC}")


def build(system: str = sys.platform, machine: str = "", *, folder: Path = SOURCES, checked: bool = False) -> Path:
    """Compile for a platform, this machine's if none is named, into ``folder``; return the library.

    Raises
    ------
    subprocess.CalledProcessError
        It does not compile; the compiler has said why.
    """
    made = folder / file_name(system, machine)
    half = folder / f"{made.stem}.{os.getpid()}"
    command = [sys.executable, "-m", "ziglang", "cc", "-target", target(system, machine), "-mcpu=baseline"]
    command += [*(CHECKED if checked else FAST), *FLAGS, "-o", str(half)]
    subprocess.run([*command, *sorted(path.name for path in SOURCES.glob("*.c"))], cwd=SOURCES, check=True)
    half.replace(made)  # a process that has the old one open keeps it
    for debris in folder.glob(f"{half.name}*"):
        debris.unlink()
    return made


def main() -> None:
    """Compile for the platforms named, or for this one."""
    parser = argparse.ArgumentParser(description="compile the library's kernel")
    parser.add_argument("platforms", nargs="*", help="such as linux-aarch64; this machine's if none is named")
    parser.add_argument("--checked", action="store_true", help="stop at undefined behaviour")
    options = parser.parse_args()
    for name in options.platforms or [f"{sys.platform}-{platform.machine()}"]:
        system, machine = name.split("-", 1)
        made = build(system, machine, checked=options.checked)
        sys.stdout.write(f"{made.relative_to(ROOT)}\n")


def _machine(name: str) -> str:
    name = (name or platform.machine()).lower()
    return {"arm64": "aarch64", "amd64": "x86_64"}.get(name, name)


if __name__ == "__main__":
    main()
