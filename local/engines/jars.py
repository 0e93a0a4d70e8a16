"""Fetching files from a Maven repository without knowing where one is.

1. Maven, where it is installed: its settings know the repository, and what it fetched before is there already.
2. Otherwise Ivy, which comes with PySpark as a jar and knows a repository of its own; it needs only Java.

What comes is compared with its pinned digest before anybody uses it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from xml.sax.saxutils import quoteattr

from local.engines.errors import ChecksumError, FetchFailedError
from local.engines.pins import Artifact

OnBytes = Callable[[int], None]
"""Receives how many bytes of a file have come so far."""

IvyCommand = Callable[[], Sequence[str]]
"""Returns the command that runs Ivy; may install what it needs first."""

_PLUGIN: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_PROGRESS: Final = re.compile(r"([\d.]+)/[\d.]+ MB")
_POLL_SECONDS: Final = 0.2
_BLOCK: Final = 1 << 20

# Without poms: the parents of Trino's would take minutes to read. The resolver's place is Ivy's own.
_IVY_SETTINGS: Final = (
    '<ivysettings><settings defaultResolver="own"/>'
    '<resolvers><ibiblio name="own" m2compatible="true" usepoms="false"/></resolvers></ivysettings>'
)
_IVY_FILE: Final = (
    '<ivy-module version="2.0"><info organisation="vintner" module="engines"/><dependencies>'
    '<dependency org={group} name={name} rev={version} transitive="false">'
    "<artifact name={name} type={packaging} ext={packaging}/></dependency></dependencies></ivy-module>"
)


def fetch(artifact: Artifact, folder: Path, ivy: IvyCommand, on_bytes: OnBytes) -> Path:
    """Bring a file into a folder and return its path.

    Raises
    ------
    FetchFailedError
        Neither way led to it.
    ChecksumError
        Another file came.
    """
    path = folder / artifact.file_name
    attempts = []
    maven = shutil.which("mvn")
    if maven is None:
        attempts.append("Maven is not installed")
    else:
        attempts.append(_by_maven(maven, artifact, folder, on_bytes))
    if not path.exists():
        attempts.append(_by_ivy(ivy(), artifact, folder, on_bytes))
    if not path.exists():
        raise FetchFailedError(what=artifact.coordinates, attempts="; ".join(attempts))
    verify(path, artifact)
    return path


def verify(path: Path, artifact: Artifact) -> None:
    """Compare a file with its pinned digest; a wrong one is removed.

    Raises
    ------
    ChecksumError
        It is another file.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest() != artifact.sha256:
        path.unlink()
        raise ChecksumError(what=artifact.coordinates, found=digest.hexdigest(), wanted=artifact.sha256)


def _by_maven(maven: str, artifact: Artifact, folder: Path, on_bytes: OnBytes) -> str:
    command = [maven, "-Dstyle.color=never", _PLUGIN, f"-Dartifact={artifact.coordinates}"]
    command += [f"-DoutputDirectory={folder}", "-Dmdep.useBaseVersion=true"]
    tail: deque[str] = deque(maxlen=40)
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            for raw in process.stdout:
                for line in raw.decode(errors="replace").split("\r"):
                    found = _PROGRESS.search(line)
                    if found:
                        on_bytes(int(float(found[1]) * 1e6))
                    elif line.strip():
                        tail.append(line.strip())
        except BaseException:
            process.terminate()
            raise
    said = next((line for line in tail if line.startswith("[ERROR]")), f"exit code {process.returncode}")
    return f"Maven: {said[:300]}"


def _by_ivy(ivy: Sequence[str], artifact: Artifact, folder: Path, on_bytes: OnBytes) -> str:
    with tempfile.TemporaryDirectory(dir=folder) as staging:
        inside = Path(staging)
        parts = {name: quoteattr(getattr(artifact, name)) for name in ("group", "name", "version", "packaging")}
        (inside / "ivysettings.xml").write_text(_IVY_SETTINGS, encoding="utf-8")
        (inside / "ivy.xml").write_text(_IVY_FILE.format(**parts), encoding="utf-8")
        command = [*ivy, "-settings", "ivysettings.xml", "-ivy", "ivy.xml", "-cache", str(inside / "cache")]
        command += ["-types", artifact.packaging, "-retrieve", f"{folder}/[artifact]-[revision].[ext]"]
        done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(inside / "cache", on_bytes, done))
        watcher.start()
        try:
            ended = subprocess.run(command, cwd=inside, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        finally:
            done.set()
            watcher.join()
    said = [line.strip() for line in ended.stdout.decode(errors="replace").splitlines() if line.strip()]
    said = [line for line in said if line.startswith(("Server access", "ERROR", "[FAILED"))] or said[-1:]
    return f"Ivy: {said[0][:300] if said else f'exit code {ended.returncode}'}"


def _watch(folder: Path, on_bytes: OnBytes, done: threading.Event) -> None:
    """Tell the size of the largest file under a folder until told to stop."""
    while not done.wait(_POLL_SECONDS):
        on_bytes(max((_size(path) for path in folder.rglob("*.*")), default=0))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # renamed meanwhile
        return 0
