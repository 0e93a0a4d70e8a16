"""One invocation of a function that drains a stream: its deliveries in parts, as far as memory and time reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from aws_lambda_powertools.utilities.typing import LambdaContext

from vintner.messaging import Delivery, deliveries
from vintner.messaging.budget import MIB, Budget, BudgetLimits, resident_bytes

PART_BYTES: Final = 3 * MIB
"""Bytes of deliveries worked on at once; a batch has 6 MB at most."""

T = TypeVar("T")


def in_parts(event: Mapping[str, Any], context: LambdaContext, work: Callable[[list[Delivery]], T]) -> Iterator[T]:
    """Yield what work on each part of an event's deliveries gives, in order.

    Raises
    ------
    BatchNotFinishedError
        Memory or time ran short before all was done. The batch is delivered again, or split; what is done already is
        recognised.
    """
    budget = Budget(
        BudgetLimits(memory_bytes=context.memory_limit_in_mb * MIB),
        remaining_ms=context.get_remaining_time_in_millis,
        used_bytes=resident_bytes,
    )
    for part in budget.parts(deliveries(event), PART_BYTES):
        yield work(part)
