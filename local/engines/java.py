"""A Java that fits an engine: the machine's own first, else one from a package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from local.engines.pins import JavaNeed

_VERSION: Final = re.compile(r'version "(?:1\.)?(?P<release>\d+)')
_HOMES: Final = ("/usr/lib/jvm/*", "/Library/Java/JavaVirtualMachines/*/Contents/Home", "/opt/java/*")
_ANSWER_SECONDS: Final = 20


def find_java(need: JavaNeed) -> Path | None:
    """Return the home of a Java of this machine that fits, or None.

    ``JAVA_HOME`` is asked first, then the path, then the folders where systems keep several.
    """
    seen: set[Path] = set()
    for home in _homes():
        resolved = home.resolve()
        if resolved not in seen:
            seen.add(resolved)
            release = release_of(resolved)
            if release is not None and need.oldest <= release <= need.newest:
                return resolved
    return None


def release_of(home: Path) -> int | None:
    """Return which release of Java lives in a folder, or None when none that works does."""
    java = home / "bin" / "java"
    if not os.access(java, os.X_OK):
        return None
    try:
        said = subprocess.run(
            [java, "-version"], capture_output=True, text=True, check=False, timeout=_ANSWER_SECONDS
        ).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_release(said)


def parse_release(said: str) -> int | None:
    """Return the release from what ``java -version`` printed.

    Examples
    --------
    >>> parse_release('openjdk version "17.0.15" 2025-04-15'), parse_release('java version "1.8.0_402"')
    (17, 8)
    """
    found = _VERSION.search(said)
    return int(found["release"]) if found else None


def _homes() -> Iterator[Path]:
    named = os.environ.get("JAVA_HOME")
    if named:
        yield Path(named)
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path).resolve().parents[1]
    for pattern in _HOMES:
        yield from sorted(Path("/").glob(pattern.lstrip("/")))
