"""Nothing in the project may name a package index or a path of the machine it was written on.

A clone has to install from whatever index its own machine is set up for, and to run in whatever folder it lies in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_ADDRESSES: Final = {
    "address of a package index": re.compile(
        r"\b(?:py(?:pi|thonhosted)|registry\.(?:npmjs|yarnpkg))\.(?:org|com)\b|/simple/?[\"'\s]|/simple/?$"
        r"|--(?:extra-)?index\-url|--find\-links|^\s*(?:extra-)?index\-url|^registry\s*=|\"resolved\":\s*\"http"
    ),
    "path of a machine": re.compile(r"(?<![\w.])/(?:home|Users|root)/[A-Za-z0-9._-]+"),
}


# Folders that every machine has: a path below one says nothing about whose machine it is.
_EVERYWHERE: Final = frozenset(Path(name) for name in ("/", "/mnt", "/opt", "/srv", "/tmp", "/usr", "/var"))  # noqa: S108


def find_addresses(project: Path, files: Iterable[Path]) -> Iterator[str]:
    """Yield `file:line: what` for each address or machine path in ``files`` (relative to ``project``).

    Binary files are not searched.
    """
    here = {project, project.parent, Path.home()} - _EVERYWHERE
    this_machine = re.compile("|".join(re.escape(f"{path}/") for path in here))
    patterns = {**_ADDRESSES, "path of this machine": this_machine}
    for name in files:
        try:
            text = (project / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            yield from (f"{name}:{number}: {what}" for what, pattern in patterns.items() if pattern.search(line))
