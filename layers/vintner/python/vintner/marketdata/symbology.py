"""Symbology: which instrument a venue's symbol stands for, at an event, as known by then.

1.  A fact of the dataset ``symbols`` says what a symbol stands for from its event time on: the instrument, its tick,
    its lot and how its trades are read. Its entity is ``venue/symbol``. One without an instrument says that from then
    on the symbol stands for nothing.
2.  What a symbol stood for is a bitemporal question: the event time cuts what is effective, the knowledge time what
    was known (:func:`vintner.bitemporal.as_of_join`). A mapping learned late changes no answer given before.
3.  The answer for one symbol is a step function of the two times: it is the same in a whole :class:`Region` between
    two stated times. Who keeps the region with the answer need not ask again while records stay in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal import ENTITY, EVENT_TIME, KNOWLEDGE_TIME, TIME, FactSource, as_of_join, fact_schema
from vintner.lake.model import Column, Dataset, Layout

ANY_EARLIER: Final = -(2**63)
ANY_LATER: Final = 2**63 - 1

_NUMBER: Final = "fact_number"
_KNOWN_AT: Final = "known_at"
_EXACT: Final = pa.decimal128(18, 8)

SYMBOLS: Final = Dataset(
    name="symbols",
    doc="What the symbols of venues stand for; the entity is venue/symbol, the event is when it takes effect.",
    stream="market_data",
    columns=(
        Column(name="instrument", type=pa.string(), doc="Instrument it stands for; null: nothing from then on."),
        Column(name="tick", type=_EXACT, doc="Step of its prices, before the venue's rule.", exclusive_minimum=0.0),
        Column(name="lot", type=_EXACT, doc="Step of its sizes.", exclusive_minimum=0.0),
        Column(name="least_price", type=_EXACT, doc="Below it a price is in another unit.", exclusive_minimum=0.0),
        Column(name="most_price", type=_EXACT, doc="Above it a price is in another unit.", exclusive_minimum=0.0),
        Column(name="liquidity_band", type=pa.int64(), doc="Band of MiFID II RTS 11, 1 to 6.", minimum=1.0),
        Column(name="conditions", type=pa.string(), doc="Condition table of its tape: cta or utp; null: the venue's."),
    ),
    layout=Layout.YEAR_OF_KNOWLEDGE,
)
"""The facts symbols are mapped by."""

_FACTS: Final = fact_schema(pa.schema([(column.name, column.type) for column in SYMBOLS.columns]))


class Region(NamedTuple):
    """A span of event times and one of knowledge times, epoch microseconds; the starts are in it, the ends are not."""

    from_event: int
    to_event: int
    from_known: int
    to_known: int


EVERYWHERE: Final = Region(ANY_EARLIER, ANY_LATER, ANY_EARLIER, ANY_LATER)
NOWHERE: Final = Region(ANY_LATER, ANY_EARLIER, ANY_LATER, ANY_EARLIER)


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolFact:
    """What one fact says of a symbol. Prices and sizes in units of 1e-8."""

    instrument: str | None = None
    tick: int | None = None
    lot: int | None = None
    least_price: int | None = None
    most_price: int | None = None
    liquidity_band: int | None = None
    conditions: str | None = None


def symbol_entity(venue: str, symbol: str) -> str:
    """Return the entity of a symbol.

    Examples
    --------
    >>> symbol_entity("XNYS", "BRK.A")
    'XNYS/BRK.A'
    """
    return f"{venue}/{symbol}"


class Symbology:
    """The facts about symbols, ready to be asked. They never change: newer facts make a new symbology.

    Parameters
    ----------
    facts
        Table of the dataset :data:`SYMBOLS` (keys, clocks, values; further columns are not looked at).

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> start, june = datetime(2012, 5, 18, tzinfo=UTC), datetime(2022, 6, 9, tzinfo=UTC)
    >>> from vintner.bitemporal import INSTANT
    >>> schema = fact_schema(pa.schema([(column.name, column.type) for column in SYMBOLS.columns]))
    >>> def named(symbol, instrument, at):
    ...     return {"entity": symbol_entity("XNAS", symbol), "event_time": at, "knowledge_time": at, "revision_seq": 0,
    ...             "op": "upsert", "ingested_at": at, "instrument": instrument}
    >>> facts = [named("FB", "meta", start), named("FB", None, june), named("META", "meta", june)]
    >>> symbology = Symbology(pa.Table.from_pylist(facts, schema=schema))
    >>> asked = pa.array([datetime(2020, 1, 1, tzinfo=UTC), june], INSTANT)
    >>> [symbology.fact(number).instrument for number in
    ...  symbology.look_up(pa.array(["XNAS/FB", "XNAS/FB"]), asked, asked).to_pylist()]
    ['meta', None]
    """

    def __init__(self, facts: pa.Table) -> None:
        numbers = pa.array(range(facts.num_rows), pa.int64())
        facts = facts.select(_FACTS.names).cast(_FACTS)
        self._facts = facts.combine_chunks().append_column(_NUMBER, numbers)
        events: dict[str, set[int]] = {}
        known: dict[str, set[int]] = {}
        instants = (facts[clock].cast(pa.int64()).to_pylist() for clock in (EVENT_TIME, KNOWLEDGE_TIME))
        for key, event, learned in zip(facts[ENTITY].to_pylist(), *instants, strict=True):
            events.setdefault(key, set()).add(event)
            known.setdefault(key, set()).add(learned)
        self._events = {key: sorted(times) for key, times in events.items()}
        self._known = {key: sorted(times) for key, times in known.items()}

    @classmethod
    def empty(cls) -> Symbology:
        """Return a symbology that knows no symbol: enough for venues whose symbols stand for themselves."""
        return cls(_FACTS.empty_table())

    def knows(self, entity: str) -> bool:
        """Return whether anything was ever stated about a symbol."""
        return entity in self._events

    def region(self, entity: str, event: int, known: int) -> Region:
        """Return where the answer for a symbol is the same as at an event and knowledge time (epoch microseconds)."""
        if entity not in self._events:
            return EVERYWHERE
        return Region(*_step(self._events[entity], event), *_step(self._known[entity], known))

    def look_up(self, entities: pa.Array, events: pa.Array, known: pa.Array) -> pa.Int64Array:
        """Return the number of the fact in force for each row, or null where there is none.

        Parameters
        ----------
        entities
            string, shape (n,): ``venue/symbol``.
        events, known
            timestamp[us, UTC], shape (n,): when it was effective, and by when it was known.
        """
        asked = pc.is_in(self._facts[ENTITY], value_set=pc.unique(entities))
        source = FactSource(facts=self._facts.filter(asked), columns={_NUMBER: _NUMBER})
        spine = pa.table({ENTITY: entities, TIME: events, _KNOWN_AT: known})
        return as_of_join(spine, [source], known_at=_KNOWN_AT)[_NUMBER].combine_chunks()

    def fact(self, number: int) -> SymbolFact:
        """Return what the fact with this number says."""
        row: Mapping[str, Any] = self._facts.slice(number, 1).to_pylist()[0]
        told = {column.name: row[column.name] for column in SYMBOLS.columns}
        return SymbolFact(**{name: _units(value, _type(name)) for name, value in told.items()})


def _type(column: str) -> pa.DataType:
    return next(one.type for one in SYMBOLS.columns if one.name == column)


def _units(value: Any, kind: pa.DataType) -> Any:
    return int(value.scaleb(8)) if value is not None and pa.types.is_decimal(kind) else value


def _step(times: list[int], at: int) -> tuple[int, int]:
    place = bisect_right(times, at)
    return times[place - 1] if place else ANY_EARLIER, times[place] if place < len(times) else ANY_LATER
