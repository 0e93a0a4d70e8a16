"""The docket: which rules which rows break, and in the end the first one of each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.marketdata.normalise.rules import Rule

REFUSED: Final = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("field", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("remedy", pa.string(), nullable=False),
    ]
)
"""Refused rows: place in the input, the field, the rule it breaks, and what to do about it."""


class Docket:
    """Collects masks of broken rules over the rows of one table.

    Parameters
    ----------
    rules
        All rules, in the order of judgement.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._places = {(rule.field, rule.rule): place for place, rule in enumerate(rules)}
        self._broken: list[tuple[int, pa.BooleanArray]] = []

    def refuse(self, field: str, rule: str, broken: pa.BooleanArray) -> None:
        """Note which rows break a rule; a null is a row it cannot be judged on."""
        self._broken.append((self._places[field, rule], broken))

    def settle(self) -> tuple[pa.BooleanArray | None, pa.Table]:
        """Return the rows that break no rule (None: all of them), and the refused ones in order."""
        broken = reduce(pc.or_kleene, (mask for _, mask in self._broken))
        if not pc.any(broken).as_py():
            return None, REFUSED.empty_table()
        first = pa.nulls(len(broken), pa.int16())
        for place, mask in sorted(self._broken, key=lambda one: -one[0]):
            first = pc.if_else(pc.fill_null(mask, False), pa.scalar(place, pa.int16()), first)
        kept = pc.is_null(first)
        rules = first.drop_null()
        texts = (pa.array([getattr(rule, text) for rule in self._rules]).take(rules) for text in REFUSED.names[1:])
        rows = pc.cast(pc.indices_nonzero(pc.invert(kept)), pa.int64())
        return kept, pa.table([rows, *texts], schema=REFUSED)
