"""The behaviour suite on real Trino and real Spark: both answer as the oracle does, bit by bit."""

from __future__ import annotations

from tests.behaviour.checks import check_many_worlds, check_worked_example
from tests.behaviour.engines import SqlEngine
from tests.conformance.runners import SparkRunner, TrinoRunner


def test_trino_answers_the_worked_example(trino_runner: TrinoRunner) -> None:
    check_worked_example(SqlEngine(trino_runner))


def test_trino_is_the_oracle_of_many_worlds(trino_runner: TrinoRunner) -> None:
    check_many_worlds(SqlEngine(trino_runner))


def test_spark_answers_the_worked_example(spark_runner: SparkRunner) -> None:
    check_worked_example(SqlEngine(spark_runner))


def test_spark_is_the_oracle_of_many_worlds(spark_runner: SparkRunner) -> None:
    check_many_worlds(SqlEngine(spark_runner))
