"""One bare ground with real Trino behind its Athena endpoint, and a Spark session over it.

Whatever happens to the tests, nothing of it stays: the ground has a guard, Trino belongs to the ground, and Spark ends
with its input.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyiceberg.catalog import Catalog

from local.athena import DuckDbEngine
from local.conformance import farewell, left_out
from local.engines import EngineMissingError, Installer, SparkInstall
from local.ground import TRINO, Ground, GroundConfig
from local.ground.config import DUCKDB, REGION
from local.ground.ports import free_ports
from local.spark import Spark, SparkHome
from local.trino import TrinoClient, TrinoEngine
from tests.conformance.runners import SparkRunner, TrinoRunner
from tests.support.bare_ground import NAMES, furnish
from tests.support.ground_guard import guard
from vintner.aws.catalog import open_glue_catalog


@dataclass(frozen=True)
class Stage:
    """What the tests play on; a missing engine is the sentence that says why."""

    ground: Ground
    catalog: Catalog
    spark: Spark | str
    spark_home: SparkHome | None
    trino_address: str | None
    why_no_trino: str


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """A running ground, this process a client of it, and both engines started at once."""
    folder = Path(tempfile.mkdtemp(prefix="vintner-"))
    why_no_trino = _missing_trino()
    ground = Ground(GroundConfig(folder, *free_ports(2), sql=DUCKDB if why_no_trino else TRINO))
    guardian = guard(ground)
    assert guardian.stdin is not None
    spark: Spark | None = None
    with pytest.MonkeyPatch.context() as patch:
        try:
            spark_home = _spark_home(ground)
            if isinstance(spark_home, SparkHome):
                spark = Spark(spark_home)
                spark.start()
            ground.start()
            _become_client(patch, ground)
            furnish(ground)
            yield Stage(
                ground,
                open_glue_catalog(REGION, warehouse=NAMES.warehouse),
                spark if spark is not None else str(spark_home),
                spark_home if isinstance(spark_home, SparkHome) else None,
                None if why_no_trino else _trino_address(ground),
                why_no_trino,
            )
        finally:
            if spark is not None:
                spark.stop()
            ground.kill()
            guardian.stdin.close()
            guardian.wait()
            shutil.rmtree(folder, ignore_errors=True)


def pytest_unconfigure() -> None:
    """Close with what was left out: after the line that says how many passed."""
    for line in farewell(left_out()):
        print(line, flush=True)  # noqa: T201 - nothing else is printed after pytest's own closing line


def _missing_trino() -> str:
    if "trino" in left_out():
        return left_out()["trino"]
    try:
        Installer().trino()
    except EngineMissingError as error:
        return str(error)
    return ""


def _spark_home(ground: Ground) -> SparkHome | str:
    if "spark" in left_out():
        return left_out()["spark"]
    try:
        install: SparkInstall = Installer().spark()
    except EngineMissingError as error:
        return str(error)
    return SparkHome(install, ground.config.state_dir / "spark", ground.environment(), NAMES.warehouse)


def _become_client(patch: pytest.MonkeyPatch, ground: Ground) -> None:
    for name in ground.strays(os.environ):
        patch.delenv(name)
    for name, value in ground.client_env().items():
        patch.setenv(name, value)


def _trino_address(ground: Ground) -> str:
    """Return where the Trino of the ground's Athena endpoint listens."""
    settings = (ground.config.state_dir / "trino" / "config.properties").read_text(encoding="utf-8")
    return dict(line.split("=", 1) for line in settings.splitlines())["discovery.uri"]


@pytest.fixture(scope="session")
def catalog(stage: Stage) -> Catalog:
    """The ground's Glue catalog."""
    return stage.catalog


@pytest.fixture(scope="session")
def trino_address(stage: Stage) -> str:
    """Where Trino listens."""
    if stage.trino_address is None:
        pytest.skip(stage.why_no_trino)
    return stage.trino_address


@pytest.fixture(scope="session")
def trino(trino_address: str) -> TrinoClient:
    """Trino, in the platform's database."""
    return TrinoClient(trino_address, NAMES.glue_database)


@pytest.fixture(scope="session")
def trino_engine(trino_address: str) -> TrinoEngine:
    """Trino as Athena's engine."""
    return TrinoEngine(trino_address)


@pytest.fixture(scope="session")
def duckdb_engine(catalog: Catalog) -> Iterator[DuckDbEngine]:
    """The laptop's own engine, over the same tables."""
    engine = DuckDbEngine(lambda: catalog)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def spark(stage: Stage) -> Spark:
    """Spark."""
    if isinstance(stage.spark, str):
        pytest.skip(stage.spark)
    return stage.spark


@pytest.fixture(scope="session")
def trino_runner(catalog: Catalog, trino_address: str) -> TrinoRunner:
    """Trino for the behaviour suite."""
    return TrinoRunner(catalog, NAMES.warehouse, trino_address)


@pytest.fixture(scope="session")
def spark_runner(catalog: Catalog, spark: Spark) -> SparkRunner:
    """Spark for the behaviour suite."""
    return SparkRunner(catalog, NAMES.warehouse, spark)
