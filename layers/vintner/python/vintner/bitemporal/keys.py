"""Entities as numbers: each distinct entity of a fact table gets one, and spines are told theirs.

1. Encode each key column: its distinct values, and per row the position of its value.
2. With one key column that position is the entity's number. With several the positions are put together as digits of
   one integer, and the distinct integers are the entities.
3. Where an order is wanted, number the entities in the order of their keys.
4. A spine is encoded on its own, once for all sources that share its columns; only its distinct values are looked up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.errors import FactTableError, SpineTableError
from vintner.bitemporal.tabular import flat

NOBODY: Final = pa.scalar(-1, pa.int32())


@dataclass(frozen=True, slots=True)
class Entities:
    """The distinct entities of a fact table.

    Parameters
    ----------
    columns
        Distinct values of each key column.
    codes
        With several key columns, the distinct combinations: positions in ``columns`` as digits of one int64.
    """

    columns: tuple[pa.Array, ...]
    codes: pa.Array | None

    @property
    def count(self) -> int:
        """How many entities there are."""
        return len(self.columns[0] if self.codes is None else self.codes)

    def name(self, number: int) -> Any:
        """Return the key of the entity with this number, or, with several key columns, the tuple of its keys."""
        if self.codes is None:
            return self.columns[0][number].as_py()
        code, digits = self.codes[number].as_py(), []
        for values in reversed(self.columns):
            code, digit = divmod(code, max(len(values), 1))
            digits.append(values[digit].as_py())
        return tuple(reversed(digits))


@dataclass(slots=True)
class Spelling:
    """The key columns of a stretch of a spine, each encoded when it is first asked for.

    Examples
    --------
    >>> facts = pa.table({"entity": ["B", "A"]})
    >>> entities, _ = number(facts, ["entity"], in_order=True)
    >>> code, key_of = Spelling({"who": pa.array(["A", "C", None])}).codes(["who"], entities)
    >>> code.to_pylist(), key_of.to_pylist()
    ([0, 1, -1], [0, -1])
    """

    columns: Mapping[str, Any]
    _encoded: dict[str, tuple[pa.Array, pa.Array]] = field(default_factory=dict)

    def codes(self, names: Sequence[str], entities: Entities) -> tuple[pa.Array, pa.Array | None]:
        """Return each row's code (int32, negative for a null) and from code to entity (None: they are the same)."""
        if entities.codes is None:
            values, code = self._encode(names[0])
            return _or_nobody(code), _look_up(values, entities.columns[0], names[0])
        digits = []
        for name, distinct in zip(names, entities.columns, strict=True):
            values, code = self._encode(name)
            digits.append(_or_nobody(_look_up(values, distinct, name).take(code)))
        absent = reduce(pc.or_, (pc.less(digit, 0) for digit in digits))
        key = pc.index_in(_composed(digits, entities.columns), value_set=entities.codes)
        return _or_nobody(pc.if_else(absent, NOBODY, key)), None

    def numbers(self, names: Sequence[str], entities: Entities) -> pa.Array:
        """Return the number of each row's entity (int32), null where it is none of ``entities``."""
        code, key_of = self.codes(names, entities)
        if key_of is not None:
            code = key_of.take(_or_null(code))
        return _or_null(code)

    def _encode(self, name: str) -> tuple[pa.Array, pa.Array]:
        if name not in self._encoded:
            self._encoded[name] = encode(self.columns[name])
        return self._encoded[name]


def number(facts: pa.Table, keys: Sequence[str], *, in_order: bool) -> tuple[Entities, pa.Array]:
    """Return the entities of a fact table, and the number (int32) of each row's entity.

    Parameters
    ----------
    keys
        Names of the key columns, of any type that has an order.
    in_order
        Whether the numbers must follow the order of the keys.

    Raises
    ------
    FactTableError
        A key is null, or of a type that cannot be one.

    Examples
    --------
    >>> facts = pa.table({"symbol": ["B", "A", "B"], "venue": [2, 1, 1]})
    >>> number(facts, ["symbol", "venue"], in_order=True)[1].to_pylist()
    [2, 0, 1]
    """
    encoded = [_fact_codes(facts[name], name, in_order=in_order) for name in keys]
    columns = tuple(values for values, _ in encoded)
    codes = [code for _, code in encoded]
    if len(keys) == 1:
        return Entities(columns, None), codes[0]
    combined = _composed(codes, columns).dictionary_encode()
    distinct, key = combined.dictionary, combined.indices
    if in_order:
        distinct, key = _in_order(distinct, key)
    return Entities(columns, distinct), key


def encode(column: Any) -> tuple[pa.Array, pa.Array]:
    """Return the distinct values of a column, and the position (int32, null for a null) of each row's value."""
    if pa.types.is_dictionary(column.type):
        column = flat(column.unify_dictionaries() if isinstance(column, pa.ChunkedArray) else column)
        distinct = plain(column.dictionary).dictionary_encode()
        return distinct.dictionary, distinct.indices.take(column.indices.cast(pa.int32()))
    found = plain(column).dictionary_encode()
    if isinstance(found, pa.Array):
        return found.dictionary, found.indices
    if found.num_chunks == 0:
        return pa.array([], found.type.value_type), pa.array([], pa.int32())
    # The chunks of one encoding share its dictionary.
    return found.chunk(0).dictionary, flat(pa.chunked_array([chunk.indices for chunk in found.chunks]))


def plain(array: Any) -> Any:
    """Return an array with any string type made one, so that spellings of one text are one value."""
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        return array.cast(pa.string())
    return array


def _fact_codes(column: Any, name: str, *, in_order: bool) -> tuple[pa.Array, pa.Array]:
    if pa.types.is_nested(column.type) or pa.types.is_floating(column.type) or pa.types.is_null(column.type):
        raise FactTableError(
            column=name,
            problem=f"is {column.type}, which cannot name an entity",
            remedy="name entities by text or numbers",
        )
    values, code = encode(column)
    if code.null_count:
        raise FactTableError(column=name, problem=f"has {code.null_count} nulls")
    return _in_order(values, code) if in_order else (values, code)


def _in_order(values: pa.Array, code: pa.Array) -> tuple[pa.Array, pa.Array]:
    order = pc.sort_indices(values)
    place = pc.inverse_permutation(order.cast(pa.int32()))
    return values.take(order), place.take(code)


def _composed(digits: Sequence[pa.Array], columns: Sequence[pa.Array]) -> pa.Array:
    total = pa.scalar(0, pa.int64())
    for digit, values in zip(digits, columns, strict=True):
        size = pa.scalar(max(len(values), 1), pa.int64())
        total = pc.add_checked(pc.multiply_checked(total, size), digit.cast(pa.int64()))
    return total


def _look_up(values: pa.Array, distinct: pa.Array, name: str) -> pa.Array:
    try:
        values = values if values.type == distinct.type else values.cast(distinct.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        problem = f"is {values.type} and the facts have {distinct.type}"
        raise SpineTableError(column=name, problem=problem, remedy="give it the type of the facts' key") from error
    return _or_nobody(pc.index_in(values, value_set=distinct))


def _or_null(code: pa.Array) -> pa.Array:
    return pc.if_else(pc.less(code, 0), pa.scalar(None, pa.int32()), code)


def _or_nobody(code: pa.Array) -> pa.Array:
    return pc.fill_null(code, NOBODY) if code.null_count else code
