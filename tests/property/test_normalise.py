"""Normalisation over columns equals normalisation row by row, whatever was remembered from batches before."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.normalise_twin import Twin, plain
from vintner.bitemporal import fact_schema
from vintner.marketdata.normalise import (
    QUOTE_INPUT,
    QUOTE_RULES,
    TRADE_INPUT,
    TRADE_RULES,
    Context,
    normalise_quotes,
    normalise_trades,
)
from vintner.marketdata.symbology import SYMBOLS, Symbology
from vintner.marketdata.venues import CTA, RTS_11, RULE_612, TAPES, US_TAPES, Scope, Venue, Venues

SECOND: Final = 1_000_000
START: Final = 1_767_623_400 * SECOND
ODD: Final = timedelta(seconds=2)
CALENDARS: Final = {"XNYS": 0, "XPAR": 7}
MOST: Final = "9999999999.99999999"

VENUE_LIST: Final = Venues(
    [
        Venue(code="coin", name="Coin", dense=True, self_named=True, trades_on_tick=True, event_ahead=ODD),
        Venue(
            code="XNYS", name="Shares", calendar="XNYS", quote_ticks=RULE_612, trade_ticks=US_TAPES, conditions=CTA,
            event_ahead=ODD, receive_ahead=timedelta(seconds=1), lateness=timedelta(seconds=6),
        ),
        Venue(
            code="tape", name="Tape", calendar="XNYS", conditions=CTA, scope=Scope.CONSOLIDATED, self_named=True,
            trade_ticks=RULE_612,
        ),
        Venue(
            code="XPAR", name="Paris", calendar="XPAR", quote_ticks=RTS_11, may_cross=False,
            most_price=Decimal(50), most_size=Decimal(1000),
        ),
    ],
    tables=TAPES,
)  # fmt: skip


class Calendars:
    def index(self, name: str) -> int:
        return CALENDARS[name]


ticks_of_time = st.integers(0, 12).map(lambda tick: START + tick * SECOND)
instants = st.one_of(ticks_of_time, ticks_of_time, ticks_of_time, st.sampled_from([None, -1, 2**62, -(2**63)]))
# Mostly what is right, so that later rules are reached too.
venues = st.sampled_from(["coin", "coin", "XNYS", "XNYS", "XPAR", "tape", "elsewhere", None])
symbols = st.sampled_from(["A", "A", "A", "B", "C", "", "x y", "y" * 65, None])
numbers = st.sampled_from([0, 1, 2, 3, 4, 5, -1, None])


def exact(*texts: str) -> st.SearchStrategy[Decimal | None]:
    return st.sampled_from([None, *map(Decimal, texts)])


prices = exact("10", "10.01", "10.015", "0.9999", "0.99995", "1", "0.0001", "20.05", "20.055", "0", "-1", "51", MOST)
sizes = exact("1", "1", "2.5", "100", "0.00000001", "0", "-3", "1001")
conditions = st.sampled_from([None, None, "", "@", "@ I", "@ T", "M", " 6 ", "F9", "?", "W", "B", "OX"])
sides = st.sampled_from(["buy", "sell", None, "Buy"])
lineage = {"lane": st.integers(0, 2), "arrived_at": st.one_of(st.none(), ticks_of_time), "producer": st.just("p/1")}
common = {"venue": venues, "symbol": symbols, "event_time": instants, "received_at": instants, **lineage}

trades = st.fixed_dictionaries(
    {**common, "trade_id": numbers, "price": prices, "size": sizes, "aggressor": sides, "conditions": conditions}
)
quotes = st.fixed_dictionaries(
    {**common, "update_id": numbers, "bid": prices, "bid_size": sizes, "ask": prices, "ask_size": sizes}
)

steps = st.sampled_from([None, None, Decimal("0.01"), Decimal("0.5")])
facts = st.lists(
    st.fixed_dictionaries(
        {
            "entity": st.sampled_from(["XNYS/A", "XNYS/B", "coin/A", "XPAR/A", "XPAR/B", "tape/A"]),
            "event_time": ticks_of_time,
            "knowledge_time": ticks_of_time,
            "revision_seq": st.integers(0, 1),
            "op": st.sampled_from(["upsert", "upsert", "upsert", "delete"]),
            "instrument": st.sampled_from(["one", "two", None]),
            "tick": steps,
            "lot": steps,
            "least_price": st.sampled_from([None, None, Decimal(2)]),
            "most_price": st.sampled_from([None, None, Decimal(20)]),
            "liquidity_band": st.sampled_from([None, 1, 4, 6, 9]),
            "conditions": st.sampled_from([None, "utp", "cta", "unheard of"]),
        }
    ),
    max_size=12,
    unique_by=lambda fact: tuple(fact[key] for key in ("entity", "event_time", "knowledge_time", "revision_seq")),
)

FACTS: Final = fact_schema(pa.schema([(column.name, column.type) for column in SYMBOLS.columns]))


def table_of(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table of several pieces, each cut out of a longer one: nothing may rely on offsets being zero."""
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in schema]
    whole = pa.table(columns, schema=pa.schema([field.with_nullable(True) for field in schema]))
    padded = pa.concat_tables([whole.slice(0, 1), whole]).combine_chunks().slice(min(1, len(rows)))
    half = len(rows) // 2
    return pa.concat_tables([padded.slice(0, half), padded.slice(half)])


def remedied(refused: list[tuple[int, str, str]], rules) -> list[dict[str, Any]]:
    remedies = {(rule.field, rule.rule): rule.remedy for rule in rules}
    return [{"row": row, "field": f, "rule": r, "remedy": remedies[f, r]} for row, f, r in refused]


def world(stated: list[dict[str, Any]]) -> tuple[Context, Twin]:
    known = [{**fact, "ingested_at": START} for fact in stated]
    columns = [pa.array([fact[field.name] for fact in known], field.type) for field in FACTS]
    context = Context(Symbology(pa.table(columns, schema=FACTS)), VENUE_LIST, Calendars())
    return context, Twin(known, VENUE_LIST, CALENDARS)


@settings(max_examples=100, deadline=None)
@given(facts, st.lists(st.lists(trades, max_size=12), min_size=1, max_size=3), st.booleans())
def test_trades_equal_those_judged_row_by_row(stated, batches, numbered) -> None:
    context, twin = world(stated)
    schema = TRADE_INPUT.append(pa.field("delivery", pa.int32())) if numbered else TRADE_INPUT
    for batch in batches:
        rows = [row | {"delivery": place % 2} for place, row in enumerate(batch)] if numbered else batch
        done = normalise_trades(table_of(rows, schema), context)
        kept, refused = twin.trades(rows)
        assert done.refused.to_pylist() == remedied(refused, TRADE_RULES)
        assert plain(done.rows) == kept


@settings(max_examples=100, deadline=None)
@given(facts, st.lists(st.lists(quotes, max_size=12), min_size=1, max_size=3), st.booleans())
def test_quotes_equal_those_judged_row_by_row(stated, batches, numbered) -> None:
    context, twin = world(stated)
    schema = QUOTE_INPUT.append(pa.field("delivery", pa.int32())) if numbered else QUOTE_INPUT
    for batch in batches:
        rows = [row | {"delivery": place % 2} for place, row in enumerate(batch)] if numbered else batch
        done = normalise_quotes(table_of(rows, schema), context)
        kept, refused = twin.quotes(rows)
        assert done.refused.to_pylist() == remedied(refused, QUOTE_RULES)
        assert plain(done.rows) == kept


RIGHT: Final = {
    "venue": "coin", "trade_id": 1, "price": Decimal("10"), "size": Decimal("1"), "aggressor": None, "conditions": None,
    "lane": 0, "arrived_at": START + 60 * SECOND, "producer": "p/1",
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(facts, st.lists(st.tuples(st.sampled_from(["A", "B"]), ticks_of_time, ticks_of_time), max_size=30))
def test_mappings_that_change_are_found_as_of_each_trade(stated, asked) -> None:
    """Right in everything else: what is left is which instrument a symbol stood for, one trade after the other."""
    context, twin = world(stated)
    for venue in ("XNYS", "coin", "XPAR"):
        rows = [
            RIGHT | {"venue": venue, "symbol": symbol, "event_time": min(times), "received_at": max(times)}
            for symbol, *times in asked
        ]
        for size in (1, 7, 30):
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                done = normalise_trades(table_of(part, TRADE_INPUT), context)
                kept, refused = twin.trades(part)
                assert plain(done.rows) == kept
                assert done.refused.to_pylist() == remedied(refused, TRADE_RULES)
