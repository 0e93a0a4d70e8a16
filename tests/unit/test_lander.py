"""Landing one call: what is kept, what is refused and why, what is served, what is told."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pyarrow as pa
import pytest

from tests.support.landing import NOW, SECOND, LandedLake, PassedThrough, delivery, landed_lake, raw, trade, value
from vintner.datasets import DATASETS
from vintner.marketdata.calendars import load_sessions
from vintner.marketdata.landing import Lander, payloads
from vintner.marketdata.landing.checks import MAX_TEXT_BYTES
from vintner.marketdata.normalise import Context, normalise_trades
from vintner.marketdata.symbology import Symbology
from vintner.marketdata.venues import VENUES
from vintner.messaging.records import FeatureValue, FeatureVector, Trade, as_batch, schema_of
from vintner.messaging.streams import FEATURES_PIT, FEATURES_RAW, TRADES, Stream

RAW, TICKS = DATASETS["features_raw"], DATASETS["trades"]


@pytest.fixture
def lake() -> Iterator[LandedLake]:
    with landed_lake("features_raw", "features_pit", "trades") as lake:
        yield lake


def lander(lake: LandedLake, stream: Stream = FEATURES_RAW, **changes):
    dataset = next(one for one in DATASETS.values() if one.stream == stream.name)
    return Lander(stream, dataset, lake.store(), **({"online": lake} | changes))


def test_many_deliveries_are_one_commit_and_every_row_names_its_place(lake):
    sent = [
        delivery(7, [value(0), value(1)], FeatureValue),
        delivery(8, [], FeatureValue),
        delivery(9, [value(2)], FeatureValue, producer="other/2"),
    ]
    report = lander(lake).land(sent)
    assert (report.records, report.kept, report.refused, report.sent_at) == (3, 3, {}, NOW)
    assert lake.commits(RAW) == 1
    rows = sorted(lake.rows(RAW), key=lambda row: row["record_id"])
    assert [(row["record_id"], row["source"]) for row in rows] == [
        ("stream/0/7/0", "test/1"),
        ("stream/0/7/1", "test/1"),
        ("stream/0/9/0", "other/2"),
    ]
    assert {(row["op"], row["revision_seq"], row["ingested_at"]) for row in rows} == {("upsert", 0, NOW)}


@pytest.mark.parametrize("sent", [[], [delivery(1, [], FeatureValue)]])
def test_nothing_and_heartbeats_alone_write_nothing(lake, sent):
    report = lander(lake).land(sent)
    assert (report.records, report.kept, report.sent_at, lake.commits(RAW)) == (0, 0, None, 0)


def test_duplicates_and_redeliveries_are_told_apart(lake):
    first, again = delivery(1, [value(0), value(1)], FeatureValue), delivery(2, [value(1), value(2)], FeatureValue)
    lander(lake).land([first])
    report = lander(lake).land([first, again])
    assert (report.kept, report.redelivered, report.duplicates) == (1, 2, 1)
    assert len(lake.rows(RAW)) == 3


def test_other_values_under_a_version_key_are_refused_and_the_first_stands(lake):
    lander(lake).land([delivery(1, [value(0)], FeatureValue)])
    report = lander(lake).land([delivery(2, [value(1), value(0, 2.0)], FeatureValue)])
    assert report.kept == 1
    assert report.refused == {"version key with other values": 1}
    (refused,) = lake.refused()
    assert (refused["sequence"], refused["position"], refused["dataset"]) == ("2", 1, "features_raw")
    assert json.loads(refused["payload"])["value"] == 2.0
    assert {row["value"] for row in lake.rows(RAW)} == {1.0}


def test_what_cannot_be_read_is_kept_whole_and_stops_nothing(lake):
    good = delivery(3, [value(0)], FeatureValue)
    torn = raw(2, good.data[:-1] + bytes([good.data[-1] ^ 1]))
    report = lander(lake).land([raw(1, b"\xff not ours"), torn, good, delivery(4, [trade()], Trade)])
    assert (report.records, report.kept) == (4, 1)
    assert report.refused == {"malformed bytes": 1, "checksum": 1, "unknown record": 1}
    assert [row["position"] for row in lake.refused()] == [-1, -1, -1]
    assert lake.refused()[0]["payload"] == "base64:/yBub3Qgb3Vycw=="


BAD = [
    ({"instrument": ""}, "instrument", "missing or not text"),
    ({"feature": "f" * 201}, "feature", "longer than 200 characters"),
    ({"knowledge_time": NOW + timedelta(minutes=6)}, "knowledge_time", "knowledge time in the future"),
    ({"event_time": None}, "event_time", "missing value"),
    ({"instrument": None}, "instrument", "missing value"),
]


@pytest.mark.parametrize(("changes", "field", "rule"), BAD)
def test_a_record_that_breaks_a_rule_is_refused_alone(lake, changes, field, rule):
    rows = as_batch([value(0), value(1), value(2)], FeatureValue).to_pylist()
    rows[1] |= changes
    report = lander(lake).land([delivery(5, pa.RecordBatch.from_pylist(rows, schema_of(FeatureValue)), FeatureValue)])
    assert (report.kept, report.refused) == (2, {rule: 1})
    (refused,) = lake.refused()
    assert (refused["field"], refused["rule"], refused["position"]) == (field, rule, 1)
    assert refused["remedy"]
    assert list(json.loads(refused["payload"])) == schema_of(FeatureValue).names


def test_an_instant_that_no_calendar_has_is_refused_with_its_number(lake):
    batch = as_batch([value(0)], FeatureValue)
    far = pa.array([2**62], pa.int64()).cast(batch.schema.field("event_time").type)
    report = lander(lake).land([delivery(1, batch.set_column(2, batch.schema.field(2), far), FeatureValue)])
    assert report.refused == {"out of range": 1}
    assert json.loads(lake.refused()[0]["payload"])["event_time"] == 2**62


def test_a_vector_too_long_for_the_online_store_is_refused(lake):
    vector = FeatureVector(instrument="i", view="v/1", event_time=NOW, knowledge_time=NOW, values="x" * MAX_TEXT_BYTES)
    long = replace(vector, view="w/1", values=vector.values + "x")
    report = lander(lake, FEATURES_PIT).land([delivery(1, [vector, long], FeatureVector)])
    assert (report.kept, report.refused) == (1, {f"longer than {MAX_TEXT_BYTES} bytes": 1})


def test_a_payload_makes_the_very_record_again():
    stated = [
        trade(3, conditions="é @", price=Decimal("12345678.12345678")),
        trade(4, event_time=datetime.min.replace(tzinfo=UTC)),
    ]
    for text, record in zip(payloads(pa.Table.from_batches([as_batch(stated, Trade)])), stated, strict=True):
        again = json.loads(text)
        instants = {name: datetime.fromisoformat(again[name]) for name in ("event_time", "received_at")}
        exact = {name: Decimal(again[name]) for name in ("price", "size")}
        assert Trade(**(again | instants | exact)) == record


def test_a_float_that_json_has_no_form_for_is_text():
    odd = [value(0, float("nan")), value(1, float("-inf")), value(2, None)]
    texts = payloads(pa.Table.from_batches([as_batch(odd, FeatureValue)]))
    assert [json.loads(text, parse_constant=pytest.fail)["value"] for text in texts] == ["nan", "-inf", None]
    assert struct.pack("d", float("nan")) == struct.pack("d", float(json.loads(texts[0])["value"]))


def test_what_can_no_longer_be_an_answer_is_kept_but_not_served(lake):
    assert RAW.ttl is not None
    old = value(0, event_time=NOW - RAW.ttl - SECOND)
    lander(lake).land([delivery(1, [old, value(1)], FeatureValue)])
    assert len(lake.rows(RAW)) == 2
    served = partial(lake.online.latest, RAW, at=NOW, known_at=NOW)
    assert served(entity=(old.instrument, "rsi")) is None
    assert served(entity=(value(1).instrument, "rsi"))["value"] == 1.0


def test_trades_get_their_instrument_and_when_they_became_known(lake):
    early = trade(2, received_at=trade(2).event_time - SECOND)
    land = lander(lake, TRADES, online=None, normalise=PassedThrough).land
    assert land([delivery(1, [trade(1), early], Trade)]).kept == 2
    one, other = sorted(lake.rows(TICKS), key=lambda row: row["trade_id"])
    assert (one["instrument"], one["knowledge_time"]) == ("BTCUSDT@binance-spot", trade(1).received_at)
    assert other["knowledge_time"] == early.event_time
    assert {field.name for field in fields(Trade)} <= set(one)


def test_what_normalisation_refuses_is_quarantined_with_the_record_as_it_came(lake):
    context = Context(Symbology.empty(), VENUES, load_sessions())
    sent = [trade(1), trade(2, price=Decimal(-1)), trade(3, venue="nowhere"), trade(4, aggressor="both"), trade(5)]
    land = lander(lake, TRADES, online=None, normalise=partial(normalise_trades, context=context)).land
    report = land([delivery(1, [], Trade), delivery(2, sent[:2], Trade), delivery(3, sent[2:], Trade)])
    assert (report.records, report.kept, sum(report.refused.values())) == (5, 2, 3)
    assert sorted(row["trade_id"] for row in lake.rows(TICKS)) == [1, 5]
    refused = lake.refused()
    assert [(row["sequence"], row["position"], row["field"]) for row in refused] == [
        ("2", 1, "price"),
        ("3", 0, "venue"),
        ("3", 1, "aggressor"),
    ]
    assert [json.loads(row["payload"])["trade_id"] for row in refused] == [2, 3, 4]
    assert refused[0]["entity"] == "binance-spot/BTCUSDT"
