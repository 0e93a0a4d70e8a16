"""Compile the library's kernels: of each, C sources in, one shared library per platform out, beside the sources.

    python -m infra.kernel [linux-x86_64|linux-aarch64|darwin-aarch64|...] [--checked]

The compiler is the locked package ziglang (a C compiler for every platform in one wheel), so neither this machine's
compiler nor a container decides what comes out. Without a platform it is this machine's. ``--checked`` makes a build
that stops at undefined behaviour, for tests. Needs nothing but the compiler: building a wheel runs it too. A kernel is
a folder ``kernel`` of the library that holds C sources; it is found by that.
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
LIBRARY: Final = ROOT / "layers" / "vintner" / "python" / "vintner"
SOURCES: Final = LIBRARY / "bitemporal" / "kernel"
"""Of the kernel that reads facts as of a time."""
FLAGS: Final = ("-std=c11", "-shared", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror")
# Floating point as written: the same bits on every machine, and the same as plain Python's.
STRICT: Final = ("-ffp-contract=off", "-fno-math-errno")
FAST: Final = ("-O3", "-g0", "-s")
# Undefined behaviour becomes an illegal instruction, which no test survives.
CHECKED: Final = ("-O1", "-g", "-fsanitize=undefined", "-fsanitize-trap=undefined")
OLDEST_GLIBC: Final = "2.28"
"""That of the machines pyarrow's wheels are for, Lambda's among them."""


def file_name(system: str = sys.platform, machine: str = "") -> str:
    """Return a kernel's file name for a platform: what its ``native.py`` looks for there.

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


def kernels() -> tuple[Path, ...]:
    """Return the folders of the library's kernels.

    Examples
    --------
    >>> SOURCES in kernels()
    True
    """
    return tuple(sorted({source.parent for source in LIBRARY.glob("**/kernel/*.c")}))


def build(
    system: str = sys.platform,
    machine: str = "",
    *,
    sources: Path = SOURCES,
    folder: Path | None = None,
    checked: bool = False,
) -> Path:
    """Compile a kernel for a platform, this machine's if none is named, into ``folder``; return the library.

    Parameters
    ----------
    system, machine
        The platform, as ``sys.platform`` and ``platform.machine()`` say it.
    sources
        Folder of the kernel.
    folder
        Where the library goes; beside the sources if none is named.
    checked
        Whether it stops at undefined behaviour.

    Raises
    ------
    subprocess.CalledProcessError
        It does not compile; the compiler has said why.
    """
    folder = folder or sources
    made = folder / file_name(system, machine)
    half = folder / f"{made.stem}.{os.getpid()}"
    command = [sys.executable, "-m", "ziglang", "cc", "-target", target(system, machine), "-mcpu=baseline"]
    command += [*(CHECKED if checked else FAST), *FLAGS, *STRICT, "-o", str(half)]
    subprocess.run([*command, *sorted(path.name for path in sources.glob("*.c"))], cwd=sources, check=True)
    half.replace(made)  # a process that has the old one open keeps it
    for debris in folder.glob(f"{half.name}*"):
        debris.unlink()
    return made


def build_all(system: str = sys.platform, machine: str = "", *, checked: bool = False) -> tuple[Path, ...]:
    """Compile every kernel for a platform, each beside its sources; return the libraries."""
    return tuple(build(system, machine, sources=sources, checked=checked) for sources in kernels())


def main() -> None:
    """Compile every kernel for the platforms named, or for this one."""
    parser = argparse.ArgumentParser(description="compile the library's kernels")
    parser.add_argument("platforms", nargs="*", help="such as linux-aarch64; this machine's if none is named")
    parser.add_argument("--checked", action="store_true", help="stop at undefined behaviour")
    options = parser.parse_args()
    for name in options.platforms or [f"{sys.platform}-{platform.machine()}"]:
        system, machine = name.split("-", 1)
        for made in build_all(system, machine, checked=options.checked):
            sys.stdout.write(f"{made.relative_to(ROOT)}\n")


def _machine(name: str) -> str:
    name = (name or platform.machine()).lower()
    return {"arm64": "aarch64", "amd64": "x86_64"}.get(name, name)


if __name__ == "__main__":
    main()
