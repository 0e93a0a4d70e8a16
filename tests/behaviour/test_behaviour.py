"""The behaviour suite, in this process: the library, DuckDB, and Athena's SQL on the laptop's engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.behaviour.athena_runner import LaptopAthenaRunner
from tests.behaviour.checks import check_many_worlds, check_thrown_world, check_worked_example
from tests.behaviour.duckdb_runner import DuckDbRunner
from tests.behaviour.engines import LibraryEngine, SqlEngine
from tests.behaviour.runner import SqlRunner
from tests.behaviour.suite import CHECKS

quick = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def duckdb_runner() -> Iterator[DuckDbRunner]:
    runner = DuckDbRunner()
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def athena_runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopAthenaRunner]:
    runner = LaptopAthenaRunner(tmp_path_factory.mktemp("lake"))
    yield runner
    runner.close()


@quick
@given(random=st.randoms(use_true_random=False))
def test_the_library_is_the_oracle(random: Random) -> None:
    check_thrown_world(LibraryEngine(), random)


@quick
@given(random=st.randoms(use_true_random=False))
def test_duckdb_is_the_oracle(duckdb_runner: DuckDbRunner, random: Random) -> None:
    check_thrown_world(SqlEngine(duckdb_runner), random)


def test_the_library_is_the_oracle_of_many_worlds() -> None:
    check_many_worlds(LibraryEngine())


@pytest.mark.parametrize("check", CHECKS)
def test_duckdb_passes(duckdb_runner: DuckDbRunner, check: Callable[[SqlRunner], None]) -> None:
    check(duckdb_runner)


@pytest.mark.parametrize("check", CHECKS)
def test_the_laptops_athena_passes(athena_runner: LaptopAthenaRunner, check: Callable[[SqlRunner], None]) -> None:
    check(athena_runner)


def test_the_library_answers_the_worked_example() -> None:
    check_worked_example(LibraryEngine())
