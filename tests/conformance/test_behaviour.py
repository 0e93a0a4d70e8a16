"""The behaviour suite on real Trino and real Spark: both answer as the oracle does, bit by bit."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.behaviour.runner import SqlRunner
from tests.behaviour.suite import CHECKS
from tests.conformance.runners import SparkRunner, TrinoRunner


@pytest.mark.parametrize("check", CHECKS)
def test_trino_passes(trino_runner: TrinoRunner, check: Callable[[SqlRunner], None]) -> None:
    check(trino_runner)


@pytest.mark.parametrize("check", CHECKS)
def test_spark_passes(spark_runner: SparkRunner, check: Callable[[SqlRunner], None]) -> None:
    check(spark_runner)
