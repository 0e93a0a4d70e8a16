"""The whole suite for an engine of SQL, as a list of checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.behaviour.checks import check_many_worlds, check_worked_example
from tests.behaviour.engines import SqlEngine
from tests.behaviour.literals import check_literals
from tests.behaviour.runner import SqlRunner
from tests.behaviour.values import check_gaps, check_values


def worked_example(runner: SqlRunner) -> None:
    """Every read of the worked example."""
    check_worked_example(SqlEngine(runner))


def many_worlds(runner: SqlRunner) -> None:
    """Every read of many generated worlds, against the oracle."""
    check_many_worlds(SqlEngine(runner))


CHECKS: Final[tuple[Callable[[SqlRunner], None], ...]] = (
    worked_example,
    many_worlds,
    check_values,
    check_gaps,
    check_literals,
)
