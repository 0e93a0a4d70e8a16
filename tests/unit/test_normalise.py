"""What normalisation accepts, adds and refuses, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pytest

from vintner.bitemporal import fact_schema
from vintner.marketdata.calendars import load_sessions
from vintner.marketdata.normalise import (
    QUOTE_INPUT,
    QUOTE_RULES,
    TRADE_INPUT,
    TRADE_RULES,
    Context,
    NormaliseInputError,
    normalise_quotes,
    normalise_trades,
)
from vintner.marketdata.normalise.standing import MOST_REMEMBERED, Kind
from vintner.marketdata.symbology import SYMBOLS, Symbology
from vintner.marketdata.venues import TAPES, VENUES, Venue, Venues

AT: Final = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
MS: Final = timedelta(milliseconds=1)
D = Decimal
Row = dict[str, Any]

FACTS: Final = fact_schema(pa.schema([(column.name, column.type) for column in SYMBOLS.columns]))


def symbol(entity: str, *, at: datetime = AT - timedelta(days=9), known: datetime | None = None, **values: Any) -> Row:
    clocks = {"event_time": at, "knowledge_time": known or at, "revision_seq": 0, "op": "upsert", "ingested_at": AT}
    return {"entity": entity, **clocks, **values}


def context(*facts: Row, venues: Venues = VENUES) -> Context:
    return Context(Symbology(pa.Table.from_pylist(list(facts), schema=FACTS)), venues, load_sessions())


TRADE: Final[dict[str, Any]] = {
    "venue": "binance-spot", "symbol": "BTCUSDT", "trade_id": 7, "event_time": AT, "received_at": AT + 20 * MS,
    "price": D("61800.30"), "size": D("0.006"), "aggressor": "buy", "conditions": None, "lane": 57,
    "arrived_at": AT + 60 * MS, "producer": "ws/1",
}  # fmt: skip
QUOTE: Final[dict[str, Any]] = {
    "venue": "binance-spot", "symbol": "BTCUSDT", "update_id": 7, "event_time": AT, "received_at": AT + 20 * MS,
    "bid": D("61800.20"), "bid_size": D("2.5"), "ask": D("61800.30"), "ask_size": D("1"), "lane": 57,
    "arrived_at": AT + 60 * MS, "producer": "ws/1",
}  # fmt: skip
AAPL: Final = symbol("XNAS/AAPL", instrument="apple", least_price=D(50), most_price=D(900), lot=D(1))
SHARE: Final = {"venue": "XNAS", "symbol": "AAPL", "price": D("270.125"), "size": D(100)}
STRICT: Final = Venues([Venue(code="book", name="One book", self_named=True, may_cross=False, most_size=D(1000))])


def trades(*rows: Row, schema: pa.Schema = TRADE_INPUT) -> pa.Table:
    columns = [pa.array([{**TRADE, **row}.get(field.name) for row in rows], field.type) for field in schema]
    return pa.table(columns, schema=pa.schema([field.with_nullable(True) for field in schema]))


def quotes(*rows: Row, schema: pa.Schema = QUOTE_INPUT) -> pa.Table:
    columns = [pa.array([{**QUOTE, **row}.get(field.name) for row in rows], field.type) for field in schema]
    return pa.table(columns, schema=pa.schema([field.with_nullable(True) for field in schema]))


def test_a_trade_gets_what_the_platform_needs_to_know() -> None:
    done = normalise_trades(trades({}), context())
    assert done.refused.num_rows == 0
    assert done.rows.to_pylist() == [
        TRADE
        | {
            "instrument": "BTCUSDT@binance-spot", "knowledge_time": AT + 20 * MS, "bar_rules": 7, "is_close": False,
            "side": 1, "dense": True, "calendar": -1, "position": 0,
        }
    ]  # fmt: skip
    assert [str(done.rows.schema.field(name).type) for name in ("bar_rules", "is_close", "side", "dense")] == [
        "uint8", "bool", "int8", "bool",
    ]  # fmt: skip
    assert [str(done.rows.schema.field(name).type) for name in ("calendar", "position", "instrument")] == [
        "int16", "int64", "string",
    ]  # fmt: skip


def test_a_receive_clock_behind_the_exchange_is_accepted_and_known_no_earlier_than_the_event() -> None:
    done = normalise_trades(trades({"received_at": AT - 1270 * MS}), context())
    assert done.rows["knowledge_time"].to_pylist() == [AT]


def test_a_share_is_mapped_and_has_the_calendar_of_its_venue() -> None:
    done = normalise_trades(trades(SHARE), context(AAPL))
    (row,) = done.rows.to_pylist()
    assert (row["instrument"], row["dense"], row["calendar"]) == ("apple", False, load_sessions().index("XNAS"))


@pytest.mark.parametrize(
    ("venue", "conditions", "counts", "closing"),
    [
        ("XNAS", None, 7, False),
        ("XNAS", "@", 7, False),
        ("XNAS", "@ TI", 4, False),
        ("XNAS", "@ T I", 4, False),
        ("XNAS", "M", 3, True),
        ("XNAS", "@6 X", 7, True),
        ("us-utp", "M", 0, True),
        ("us-utp", "9", 3, True),
        ("XNAS", "9", 0, True),
        ("us-utp", "@  L", 6, False),
        ("XNAS", "@  L", 7, False),
    ],
)
def test_conditions_say_what_a_trade_counts_for(venue: str, conditions: str, counts: int, closing: bool) -> None:
    done = normalise_trades(
        trades({**SHARE, "venue": venue, "conditions": conditions}),
        context(symbol(f"{venue}/AAPL", instrument="apple")),
    )
    (row,) = done.rows.to_pylist()
    assert (row["bar_rules"], row["is_close"]) == (counts, closing)


def test_the_tape_of_the_listing_reads_the_conditions() -> None:
    """B is an average price on the CTA's tape and a bunched trade on the UTP's."""
    listed = [symbol("XNYS/IBM", instrument="ibm"), symbol("XNYS/AAPL", instrument="apple", conditions="utp")]
    rows = [{**SHARE, "venue": "XNYS", "symbol": name, "conditions": "B"} for name in ("IBM", "AAPL")]
    assert normalise_trades(trades(*rows), context(*listed)).rows["bar_rules"].to_pylist() == [4, 7]


def test_an_official_close_may_state_no_size() -> None:
    done = normalise_trades(trades(SHARE | {"conditions": "M", "size": D(0)}), context(AAPL))
    assert done.rows.num_rows == 1


BROKEN_TRADES: Final[list[tuple[str, str, dict[str, Any]]]] = [
    *((field, "missing required field", {field: None}) for field in ("venue", "symbol", "trade_id", "event_time")),
    *((field, "missing required field", {field: None}) for field in ("received_at", "price", "size")),
    ("event_time", "instant out of range", {"event_time": datetime(1969, 12, 31, tzinfo=UTC)}),
    ("received_at", "instant out of range", {"received_at": datetime(2200, 1, 1, tzinfo=UTC)}),
    ("venue", "unknown venue", {"venue": "elsewhere"}),
    ("venue", "unknown venue", {"venue": "binance-spot/BTC", "symbol": "USDT"}),
    ("symbol", "malformed symbol", {"symbol": ""}),
    ("symbol", "malformed symbol", {"symbol": "BTC USDT"}),
    ("symbol", "malformed symbol", {"symbol": "B" * 65}),
    ("symbol", "malformed symbol", {"venue": "binance-spot\x1fx"}),
    ("trade_id", "negative number", {"trade_id": -1}),
    ("event_time", "event in the future", {"event_time": AT + timedelta(seconds=5, microseconds=20_001)}),
    ("event_time", "event too old", {"event_time": AT - timedelta(days=31)}),
    ("received_at", "receive clock ahead", {"received_at": AT + timedelta(seconds=6)}),
    ("symbol", "unknown symbol at that time", SHARE | {"symbol": "TSLA"}),
    ("price", "not positive", {"price": D(0)}),
    ("price", "absurdly large", {"price": D(1_000_000_001)}),
    ("price", "outside the symbol's range", SHARE | {"price": D("2.70")}),
    ("price", "outside the symbol's range", SHARE | {"price": D(27000)}),
    ("price", "off tick", SHARE | {"price": D("270.1234567")}),
    ("price", "off tick", {"symbol": "TICKED", "price": D("10.005")}),
    ("aggressor", "unknown side", {"aggressor": "BUY"}),
    ("conditions", "unknown condition", SHARE | {"conditions": "@ ?"}),
    ("size", "not positive", {"size": D("-0.5")}),
    ("size", "not positive", {"size": D(0)}),
    ("size", "absurdly large", SHARE | {"size": D(1_000_000_001)}),
    ("size", "off lot", SHARE | {"size": D("0.5")}),
]


@pytest.mark.parametrize(("field", "rule", "row"), BROKEN_TRADES)
def test_a_trade_that_breaks_a_rule_is_refused_with_field_rule_and_remedy(field: str, rule: str, row: Row) -> None:
    judged_by = context(AAPL, symbol("binance-spot/TICKED", tick=D("0.01")))
    done = normalise_trades(trades({}, row, {"trade_id": 8}), judged_by)
    remedy = next(one.remedy for one in TRADE_RULES if (one.field, one.rule) == (field, rule))
    assert done.refused.to_pylist() == [{"row": 1, "field": field, "rule": rule, "remedy": remedy}]
    assert done.rows["position"].to_pylist() == [0, 2]


@pytest.mark.parametrize(
    "row",
    [
        {"event_time": AT + timedelta(seconds=5, milliseconds=20)},
        {"event_time": AT + 20 * MS - timedelta(days=30)},
        {"received_at": AT + timedelta(seconds=5), "arrived_at": AT},
        {"arrived_at": None},
        {"trade_id": 0},
        {"symbol": "B" * 64},
        {"price": D(1_000_000_000), "size": D("9999999999.99999999")},
        {"price": D("0.00000001"), "size": D("0.00000001")},
        {**SHARE, "price": D(50), "size": D(1_000_000_000)},
        {**SHARE, "price": D(900)},
    ],
)
def test_what_is_just_within_a_bound_is_accepted(row: Row) -> None:
    assert normalise_trades(trades(row), context(AAPL)).refused.to_pylist() == []


def test_no_rule_of_trades_is_left_out() -> None:
    tried = {(field, rule) for field, rule, _ in BROKEN_TRADES} | {("trade_id", "twice in one delivery")}
    assert {(rule.field, rule.rule) for rule in TRADE_RULES} == tried


BROKEN_QUOTES: Final[list[tuple[str, str, dict[str, Any]]]] = [
    ("bid", "half a side", {"bid": None}),
    ("bid_size", "half a side", {"bid_size": None}),
    ("ask", "half a side", {"ask": None}),
    ("ask_size", "half a side", {"ask_size": None}),
    ("update_id", "negative number", {"update_id": -7}),
    ("bid_size", "not positive", {"bid_size": D(-1)}),
    ("ask_size", "not positive", {"ask_size": D(0)}),
    ("ask", "not positive", {"ask": D(-3)}),
    ("bid", "absurdly large", {"bid": D(2_000_000_000)}),
    ("ask_size", "absurdly large", {"venue": "book", "ask_size": D(1001)}),
    ("bid", "crossed quote", {"venue": "book", "bid": D(5), "ask": D(5)}),
    ("bid", "off tick", {"venue": "XNAS", "symbol": "AAPL", "bid": D("270.125"), "ask": D("270.13")}),
    ("ask", "off tick", {"venue": "XNAS", "symbol": "PENNY", "bid": D("0.9999"), "ask": D("1.0001")}),
    ("ask", "off tick", {"venue": "XPAR", "symbol": "MC", "bid": D("600.1"), "ask": D("600.05")}),
]


@pytest.mark.parametrize(("field", "rule", "row"), BROKEN_QUOTES)
def test_a_quote_that_breaks_a_rule_is_refused(field: str, rule: str, row: Row) -> None:
    told = [AAPL, symbol("XNAS/PENNY", instrument="penny"), symbol("XPAR/MC", instrument="lvmh", liquidity_band=6)]
    done = normalise_quotes(quotes({}, row), context(*told, venues=Venues([*VENUES, *STRICT], tables=TAPES)))
    remedy = next(one.remedy for one in QUOTE_RULES if (one.field, one.rule) == (field, rule))
    assert done.refused.to_pylist() == [{"row": 1, "field": field, "rule": rule, "remedy": remedy}]


def test_a_crossed_quote_and_an_empty_book_are_states_of_a_market() -> None:
    empty = dict.fromkeys(("bid", "bid_size", "ask", "ask_size"))
    done = normalise_quotes(quotes({"bid": D(61801)}, {"bid": None, "bid_size": None}, empty), context())
    assert done.rows.num_rows == 3


def test_a_stock_with_a_tick_of_its_own_keeps_to_that() -> None:
    narrow = symbol("XNAS/NARROW", instrument="narrow", tick=D("0.005"))
    row = {"venue": "XNAS", "symbol": "NARROW", "bid": D("10.005"), "ask": D("10.01")}
    assert normalise_quotes(quotes(row), context(narrow)).refused.num_rows == 0


def test_a_number_may_come_twice_in_two_deliveries_but_not_in_one() -> None:
    schema = TRADE_INPUT.append(pa.field("delivery", pa.int32()))
    rows: list[Row] = [
        {"delivery": 0},
        {"delivery": 1},
        {"delivery": 1, "price": D(2)},
        {"delivery": 1, "symbol": "ETHUSDT"},
    ]
    done = normalise_trades(trades(*rows, schema=schema), context())
    assert [(one["row"], one["rule"]) for one in done.refused.to_pylist()] == [(2, "twice in one delivery")]
    assert normalise_trades(trades(*rows), context()).refused.num_rows == 0


def test_a_symbol_stands_for_what_was_known_at_the_time() -> None:
    """The mapping changes on Wednesday and is corrected on Friday; the correction changes nothing said before."""
    monday, wednesday, friday = (AT + timedelta(days=days) for days in (0, 2, 4))
    told = [
        symbol("XNAS/META", at=AT - timedelta(days=1), instrument="roundhill"),
        symbol("XNAS/META", at=wednesday, known=monday, instrument="facebook"),
        symbol("XNAS/META", at=wednesday, known=friday, instrument="meta"),
    ]
    judged_by = context(*told)

    def stands_for(event: datetime, received: datetime) -> str:
        row = SHARE | {"symbol": "META", "event_time": event, "received_at": received, "arrived_at": received}
        (found,) = normalise_trades(trades(row), judged_by).rows["instrument"].to_pylist()
        return str(found)

    assert [stands_for(day, day) for day in (monday, wednesday - MS, wednesday, friday - MS, friday)] == [
        "roundhill", "roundhill", "facebook", "facebook", "meta",
    ]  # fmt: skip
    assert stands_for(wednesday, friday) == "meta"
    assert stands_for(monday, friday) == "roundhill"
    assert stands_for(wednesday, wednesday) == "facebook"


@pytest.mark.parametrize("rows", [[], [{}]])
def test_no_row_and_one_row_have_the_same_columns(rows: list[Row]) -> None:
    for done in (normalise_trades(trades(*rows), context(AAPL)), normalise_quotes(quotes(*rows), context(AAPL))):
        assert done.rows.num_rows == len(rows)
        assert done.rows.schema.names[-1] == "position"
        assert done.refused.num_rows == 0


def test_rows_that_are_all_refused_leave_an_empty_table() -> None:
    done = normalise_trades(trades({"venue": None}, {"venue": "x"}), context())
    assert (done.rows.num_rows, done.refused["row"].to_pylist()) == (0, [0, 1])


def test_a_batch_is_taken_as_a_table_is() -> None:
    (batch,) = trades({}, {"trade_id": 8}).to_batches()
    assert normalise_trades(batch, context()).rows.equals(normalise_trades(trades({}, {"trade_id": 8}), context()).rows)


def test_a_column_that_is_not_there_or_of_another_type_is_named() -> None:
    with pytest.raises(NormaliseInputError) as lost:
        normalise_trades(trades({}).drop_columns(["lane"]), context())
    assert lost.value.column == "lane"
    table = trades({})
    place = table.schema.get_field_index("price")
    with pytest.raises(NormaliseInputError) as other:
        normalise_trades(table.set_column(place, "price", pa.array([1.5])), context())
    assert (other.value.column, "decimal128(18, 8)" in other.value.rule) == ("price", True)


def test_a_feed_of_nonsense_does_not_fill_the_memory() -> None:
    judged_by = context()
    for start in range(0, MOST_REMEMBERED + 8000, 8000):
        rows = trades({})
        names = pa.array([f"N{start + number}" for number in range(8000)])
        many = pa.concat_tables([rows] * 8000).combine_chunks()
        normalise_trades(many.set_column(many.schema.get_field_index("symbol"), "symbol", names), judged_by)
    assert len(judged_by.standings(Kind.TRADE)._remembered) <= MOST_REMEMBERED
