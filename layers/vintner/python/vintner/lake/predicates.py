"""Filters over columns, as PyIceberg's expressions.

Its classes take their operands by position, which their generated types do not know; only this module says so.
"""

# mypy: disable-error-code="arg-type, call-arg"

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyiceberg.expressions import (
    AlwaysTrue,
    And,
    BooleanExpression,
    EqualTo,
    GreaterThanOrEqual,
    In,
    LessThanOrEqual,
)


def equal(column: str, value: Any) -> BooleanExpression:
    """``column = value``."""
    return EqualTo(column, value)


def one_of(column: str, values: Iterable[Any]) -> BooleanExpression:
    """``column in values``."""
    return In(column, set(values))


def at_least(column: str, value: Any) -> BooleanExpression:
    """``column >= value``."""
    return GreaterThanOrEqual(column, value)


def at_most(column: str, value: Any) -> BooleanExpression:
    """``column <= value``."""
    return LessThanOrEqual(column, value)


def every(conditions: Iterable[BooleanExpression]) -> BooleanExpression:
    """All of the conditions; true when there are none."""
    return And(AlwaysTrue(), AlwaysTrue(), *conditions)
