"""The engine of trades on small stories whose answers can be worked out by hand."""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from infra import kernel as build
from tests.support.trade_stories import HEARTBEAT_ROW, SESSIONS, as_batch
from vintner.bitemporal.kernel import KernelMissingError
from vintner.marketdata.calendars import SessionTable
from vintner.marketdata.engine import (
    APPLIED,
    DUPLICATE,
    HEARTBEAT,
    IN_NO_BAR,
    INPUT,
    EngineConfig,
    EngineConfigError,
    EngineRowsError,
    EngineStateError,
    TradeEngine,
    merge_bars,
    state,
)
from vintner.marketdata.kernel import native
from vintner.messaging.records import Bar, FeatureValue, schema_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

Row = dict[str, Any]


def micro(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def trade(number: int, at: datetime, price: float = 100.0, size: float = 1.0, **changes: Any) -> Row:
    row: Row = {
        "lane": 3, "instrument": "BTCUSDT@binance-spot", "venue": "binance-spot", "dense": True, "calendar": -1,
        "trade_id": number, "event_time": micro(at), "knowledge_time": micro(at), "price": round(price * 1e8),
        "size": round(size * 1e8), "side": 1, "bar_rules": 7, "is_close": False,
    }  # fmt: skip
    return row | changes


def heartbeat(at: datetime, lane: int = 3) -> Row:
    return {**HEARTBEAT_ROW, "lane": lane, "knowledge_time": micro(at)}


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def engine(**settings: Any) -> TradeEngine:
    return TradeEngine(EngineConfig(**settings), SESSIONS)


def bars_of(output: Any, interval: str) -> list[Row]:
    return [bar for bar in output.bars.to_pylist() if bar["interval"] == interval]


def test_a_bar_is_told_when_its_end_and_the_grace_are_over() -> None:
    of = engine()
    quiet = of.apply(as_batch([trade(1, NOON, 100), trade(2, NOON + seconds(0.5), 101, 2, side=-1)]))
    assert quiet.bars.num_rows == 0
    assert quiet.bars.schema == schema_of(Bar)
    assert of.apply(as_batch([heartbeat(NOON + seconds(1.249))])).bars.num_rows == 0
    told = of.apply(as_batch([heartbeat(NOON + seconds(1.3))]))
    assert told.bars.to_pylist() == [
        {
            "instrument": "BTCUSDT@binance-spot", "interval": "1s", "event_time": NOON + seconds(1),
            "starts_at": NOON, "knowledge_time": NOON + seconds(1.25), "partial": False, "open": Decimal(100),
            "high": Decimal(101), "low": Decimal(100), "close": Decimal(101), "volume": Decimal(3),
            "notional": Decimal(302), "trades": 2, "buy_volume": Decimal(1), "sell_volume": Decimal(2),
            "first_at": NOON, "first_id": 1, "last_at": NOON + seconds(0.5), "last_id": 2,
        }
    ]  # fmt: skip
    assert told.lanes.bars.to_pylist() == [3]
    assert told.verdicts.to_pylist() == [HEARTBEAT]


def test_a_late_trade_revises_a_bar_and_a_very_late_one_is_a_partial() -> None:
    of = engine()
    of.apply(as_batch([trade(1, NOON), heartbeat(NOON + seconds(2))]))
    late = trade(2, NOON + seconds(0.1), 99, knowledge_time=micro(NOON + seconds(3)))
    revised = of.apply(as_batch([late, heartbeat(NOON + seconds(4))]))
    assert [(bar["low"], bar["partial"], bar["trades"]) for bar in bars_of(revised, "1s")] == [(99, False, 2)]
    later = trade(3, NOON + seconds(0.2), 98, knowledge_time=micro(NOON + seconds(30)))
    partial = of.apply(as_batch([later, heartbeat(NOON + seconds(31))]))
    assert [(bar["low"], bar["partial"], bar["trades"]) for bar in bars_of(partial, "1s")] == [(98, True, 1)]
    assert of.apply(as_batch([heartbeat(NOON + seconds(40))])).bars.num_rows == 0
    whole = merge_bars(pa.table(revised.bars), pa.table(partial.bars))
    assert whole.select(["low", "open", "trades", "partial", "knowledge_time"]).to_pylist() == [
        {"low": 98, "open": 100, "trades": 3, "partial": False, "knowledge_time": NOON + seconds(31)}
    ]


def test_what_came_twice_counts_once_and_what_did_not_come_is_told() -> None:
    rows = [trade(number, NOON) for number in (5, 9, 9, 7, 7, 4, 5, 2)]
    output = engine().apply(as_batch(rows))
    assert output.verdicts.to_pylist() == [
        APPLIED, APPLIED, DUPLICATE, APPLIED, DUPLICATE, APPLIED, DUPLICATE, APPLIED,
    ]  # fmt: skip
    gaps = [(gap.kind, gap.first_missing, gap.last_missing) for gap in output.gaps]
    assert gaps == [("opened", 6, 8), ("filled", 7, 7), ("opened", 3, 3)]
    assert {(gap.instrument, gap.venue, gap.lane, gap.known_at) for gap in output.gaps} == {
        ("BTCUSDT@binance-spot", "binance-spot", 3, NOON)
    }


def test_where_ids_are_not_dense_the_last_ones_are_remembered() -> None:
    rows = [trade(number, NOON, dense=False) for number in (1, 2, 3, 2, 4, 1)]
    output = engine(ids=3).apply(as_batch(rows))
    assert output.verdicts.to_pylist() == [APPLIED, APPLIED, APPLIED, DUPLICATE, APPLIED, APPLIED]
    assert output.gaps == []


def test_a_half_day_ends_at_its_close_and_the_closing_print_counts_in_it() -> None:
    """The Wednesday closes at 18:00: the last bar of 4 hours is cut there, what comes after it is in no bar."""
    close = datetime(2026, 1, 7, 18, tzinfo=UTC)
    share: Row = {"instrument": "AAPL@XNYS", "venue": "XNYS", "calendar": 0}
    rows = [
        trade(1, close - seconds(1), 100, **share),
        trade(2, close, 101, **share),
        trade(3, close + seconds(90), 102, **share, is_close=True),
        trade(4, close + timedelta(days=-1), 103, **share, knowledge_time=micro(close)),
    ]
    output = engine().apply(as_batch([*rows, heartbeat(close + timedelta(minutes=3))]))
    assert output.verdicts.to_pylist() == [APPLIED, IN_NO_BAR, APPLIED, IN_NO_BAR, HEARTBEAT]
    last = {bar["interval"]: bar for bar in output.bars.to_pylist()}
    assert {bar["event_time"] for bar in last.values()} == {close}
    assert last["1d"]["starts_at"] == datetime(2026, 1, 7, 14, 30, tzinfo=UTC)
    assert last["4h"]["starts_at"] == datetime(2026, 1, 7, 14, 30, tzinfo=UTC)
    assert {name: bar["close"] for name, bar in last.items()} == dict.fromkeys(last, 102)


def minutes(closes: list[float]) -> list[Row]:
    """Three trades a minute: the close, with a range of one around it."""
    rows = []
    for place, close in enumerate(closes):
        at = NOON + timedelta(minutes=place)
        for offset, price in enumerate((close + 0.75, close - 0.25, close)):
            rows.append(trade(3 * place + offset, at + seconds(offset), price, 1 + offset, side=1 - offset))
    return [*rows, heartbeat(NOON + timedelta(minutes=len(closes) + 1))]


def test_features_are_what_their_definitions_say() -> None:
    closes = [round(100 + 5 * float(np.sin(place)) + place / 7, 2) for place in range(60)]
    output = engine().apply(as_batch(minutes(closes)))
    assert output.features.schema == schema_of(FeatureValue)
    found: dict[str, list[float | None]] = {}
    for row in output.features.to_pylist():
        found.setdefault(row["feature"], []).append(row["value"])
    close = np.array(closes)
    logs, changes = np.diff(np.log(close)), np.diff(close)
    assert found["return_1m"][1:] == pytest.approx(close[1:] / close[:-1] - 1)
    assert found["log_return_1m"][1:] == pytest.approx(logs)
    assert found["volatility_20_1m"][:20] == [None] * 20
    assert found["volatility_20_1m"][20:] == pytest.approx([logs[i - 20 : i].std(ddof=1) for i in range(20, 60)])
    high, low = close[1:] + 0.75, close[1:] - 0.25
    ranges = np.maximum(high - low, np.maximum(abs(high - close[:-1]), abs(low - close[:-1])))
    assert found["atr_14_1m"][:14] == [None] * 14
    assert found["atr_14_1m"][14] == pytest.approx(ranges[:14].mean())
    assert found["atr_14_1m"][15] == pytest.approx((13 * ranges[:14].mean() + ranges[14]) / 14)
    gain, loss = changes.clip(0)[:14].mean(), (-changes).clip(0)[:14].mean()
    assert found["rsi_14_1m"][13:15] == [None, pytest.approx(100 - 100 / (1 + gain / loss))]
    weights = (2 / 13) * (11 / 13) ** np.arange(59, -1, -1)
    weights[0] *= 13 / 2
    assert found["ema_12_1m"][-1] == pytest.approx(float(weights @ close))
    assert found["trade_imbalance_1m"][0] == pytest.approx((1 - 3) / (1 + 3))
    assert found["vwap_1m"][0] == pytest.approx((closes[0] + 0.75 + 2 * (closes[0] - 0.25) + 3 * closes[0]) / 6)


def test_a_revised_minute_rolls_on_and_only_what_changed_is_told() -> None:
    of = engine()
    of.apply(as_batch([*minutes([100.0, 101.0, 102.0]), heartbeat(NOON + timedelta(minutes=5))]))
    late = trade(100, NOON + seconds(50), 100.5, knowledge_time=micro(NOON + timedelta(minutes=6)))
    told = of.apply(as_batch([late, heartbeat(NOON + timedelta(minutes=7))])).features.to_pylist()
    changed = {(row["feature"], (row["event_time"] - NOON) // timedelta(minutes=1)) for row in told}
    own = {("vwap_1m", 1), ("trade_imbalance_1m", 1), ("return_1m", 2), ("log_return_1m", 2)}
    assert changed == own | {(name, minute) for name in ("ema_12_1m", "ema_26_1m") for minute in (1, 2, 3)}
    assert {row["knowledge_time"] for row in told} == {NOON + timedelta(minutes=7)}


def test_heartbeats_of_one_lane_say_nothing_of_another() -> None:
    of = engine()
    output = of.apply(as_batch([trade(1, NOON), heartbeat(NOON + timedelta(hours=1), lane=4)]))
    assert output.bars.num_rows == 0
    assert of.lanes == {3, 4}
    of.forget([4, 99, -1])
    assert of.lanes == {3}


def test_tables_slices_and_nothing_are_taken_alike() -> None:
    rows = [trade(number, NOON + seconds(number)) for number in range(9)]
    whole = as_batch(rows)
    one, other, third = engine(), engine(), engine()
    expected = one.apply(whole).bars
    assert other.apply(pa.Table.from_batches([whole.slice(0, 4), whole.slice(4)])).bars == expected
    parts = [third.apply(whole.slice(at, 3).append_column("more", pa.array([1, 2, 3]))).bars for at in (0, 3, 6)]
    assert pa.Table.from_batches(parts).combine_chunks() == pa.table(expected)
    empty = one.apply(whole.slice(0, 0))
    assert (empty.bars.num_rows, empty.verdicts.to_pylist(), empty.gaps) == (0, [], [])
    assert one.apply(pa.table(whole.slice(0, 0))).features.num_rows == 0


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"price": None}, "price", "is null"),
        ({"lane": None}, "lane", "is null"),
        ({"lane": -1}, "lane", "is out of range"),
        ({"event_time": -(2**62)}, "event_time", "is out of range"),
        ({"calendar": 7}, "calendar", "names no calendar of the sessions"),
    ],
)
def test_a_row_that_cannot_be_taken_is_named_and_nothing_is_taken(changes: Row, field: str, rule: str) -> None:
    of = engine()
    with pytest.raises(EngineRowsError) as caught:
        of.apply(as_batch([trade(1, NOON), heartbeat(NOON), trade(2, NOON) | changes]))
    assert (caught.value.row, caught.value.field, caught.value.rule) == (2, field, rule)
    assert of.lanes == set()


def test_columns_of_other_types_are_refused() -> None:
    batch = as_batch([trade(1, NOON)])
    with pytest.raises(EngineRowsError) as missing:
        engine().apply(batch.drop_columns(["price"]))
    assert (missing.value.field, missing.value.rule) == ("price", "is missing")
    wrong = INPUT.set(0, pa.field("lane", pa.int64()))
    with pytest.raises(EngineRowsError) as other:
        engine().apply(batch.cast(wrong))
    assert (other.value.field, other.value.rule) == ("lane", "is int64")


def kept() -> bytes:
    of = engine()
    of.apply(as_batch([*minutes([100.0, 101.0]), trade(1000, NOON + timedelta(minutes=3), dense=False)]))
    return of.dump()[3]


def test_a_state_is_refused_unless_it_is_whole() -> None:
    blob = kept()
    bad = {
        "it has no header of ours": [b"", b"VNT", b"X" + blob[1:]],
        "its checksum differs": [blob[:16] + struct.pack("<I", 1) + blob[20:]],
        "its bytes do not unpack": [blob[:40], blob[:20]],
        "it has format 9 and": [blob[:4] + struct.pack("<H", 9) + blob[6:]],
    }
    for rule, blobs in bad.items():
        for one in blobs:
            with pytest.raises(EngineStateError) as caught:
                engine().load({3: one})
            assert caught.value.rule.startswith(rule)
    with pytest.raises(EngineStateError):
        engine().load({-1: blob})
    with pytest.raises(EngineStateError):
        engine().load({65_536: blob})


def test_bytes_that_are_no_state_never_become_one() -> None:
    """What the checksum lets through, the kernel still measures: every shorter piece, other counts, a longer one."""
    raw = state.unpacked(kept(), lane=3)
    of = engine()
    for size in range(0, len(raw), 7):
        with pytest.raises(EngineStateError):
            of.load({3: state.packed(raw[:size])})
        assert of.lanes == set()
    for place in range(0, 200, 8):
        for number in (-1, 2**62, 2**20):
            changed = raw[:place] + struct.pack("<q", number) + raw[place + 8 :]
            try:
                of.load({3: state.packed(changed)})
            except EngineStateError:
                assert of.lanes == set()
    with pytest.raises(EngineStateError):
        of.load({3: state.packed(raw + b"\0")})


def test_memory_stays_flat_over_a_long_stream() -> None:
    """A state is as large after many hours as after the first day: bars leave, ids and returns are bounded."""
    of, sizes, number = engine(holes=20), [], 0
    for hour in range(24 * 5):
        at = NOON + timedelta(hours=hour)
        rows = [trade(number + place, at + seconds(12.5 * place)) for place in range(280)]
        number += 281  # one is missing each hour
        of.apply(as_batch(rows))
        sizes.append(len(of.dump()[3]))
    assert max(sizes[-24:]) <= 1.02 * max(sizes[60:84])
    assert max(sizes) < 16_384


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"tick": timedelta(0)}, "tick"),
        ({"grace": timedelta(seconds=-1)}, "grace"),
        ({"grace": timedelta(seconds=15)}, "horizons['1s']"),
        ({"horizons": {"1s": timedelta(seconds=1)}}, "horizons"),
        ({"ids": 0}, "ids"),
        ({"holes": 100_000}, "holes"),
    ],
)
def test_settings_out_of_range_are_refused(settings: Row, field: str) -> None:
    with pytest.raises(EngineConfigError) as caught:
        replace(EngineConfig(), **settings)
    assert caught.value.field == field


def test_no_calendar_is_needed_where_venues_never_close() -> None:
    of = TradeEngine(EngineConfig(), SessionTable.of({}))
    assert of.apply(as_batch([trade(1, NOON), heartbeat(NOON + timedelta(days=2))])).bars.num_rows == 7


def test_a_missing_kernel_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    native.library.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(native, "__file__", str(tmp_path / "native.py"))
        with pytest.raises(KernelMissingError, match="make env"):
            native.library()


def test_every_kernel_is_found_and_has_been_built() -> None:
    folders = build.kernels()
    assert {folder.parent.name for folder in folders} == {"bitemporal", "marketdata"}
    assert all((folder / build.file_name()).exists() for folder in folders)
    assert all((folder / "native.py").exists() for folder in folders)


def test_sums_stop_at_what_their_type_holds() -> None:
    """No real volume comes near; a hostile one neither overflows nor ends the process."""
    huge = {"price": 10**18 - 1, "size": 10**18 - 1}
    rows = [trade(number, NOON) | huge for number in range(300)]
    bar = bars_of(engine().apply(as_batch([*rows, heartbeat(NOON + seconds(2))])), "1s")[0]
    assert bar["notional"] == Decimal("9999999999999999999999.9999999999999999")
    assert bar["volume"] == 300 * Decimal("9999999999.99999999")
