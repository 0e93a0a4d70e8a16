"""Every rule of a record, and the field it is refused for."""

from datetime import UTC, datetime

import pytest

from vintner.lake import FactError, parse_fact
from vintner.marketdata import INDEX_MEMBERSHIP, INSTRUMENTS, PRICES_DAILY

NOW = datetime(2026, 1, 5, tzinfo=UTC)
GOOD = {
    "entity": "AAPL",
    "event_time": "2024-05-02T16:00:00-04:00",
    "knowledge_time": "2024-05-02T20:30:00Z",
    "revision_seq": 0,
    "op": "upsert",
    "values": {"close": 173.03, "volume": 94214900},
}


def test_a_good_record_becomes_a_fact_in_utc_with_every_column():
    fact = parse_fact(PRICES_DAILY, GOOD, now=NOW)
    assert fact == {
        "entity": "AAPL",
        "event_time": datetime(2024, 5, 2, 20, tzinfo=UTC),
        "knowledge_time": datetime(2024, 5, 2, 20, 30, tzinfo=UTC),
        "revision_seq": 0,
        "op": "upsert",
        "open": None,
        "high": None,
        "low": None,
        "close": 173.03,
        "volume": 94214900.0,
        "adj_close": None,
    }


def test_revision_and_operation_have_defaults():
    stated = {name: GOOD[name] for name in ("entity", "event_time", "knowledge_time", "values")}
    fact = parse_fact(PRICES_DAILY, stated, now=NOW)
    assert (fact["revision_seq"], fact["op"]) == (0, "upsert")


def test_a_delete_states_no_values():
    record = {**GOOD, "op": "delete", "values": {"close": None}}
    assert parse_fact(PRICES_DAILY, record, now=NOW)["close"] is None


BAD = [
    ("not an object", [1, 2], "record", "is not an object"),
    ("unknown field", {**GOOD, "ingested_at": "2024-05-02T20:30:00Z"}, "ingested_at", "unknown field"),
    ("no entity", {**GOOD, "entity": None}, "entity", "missing or not text"),
    ("blank entity", {**GOOD, "entity": "  "}, "entity", "missing or not text"),
    ("long entity", {**GOOD, "entity": "A" * 201}, "entity", "longer than 200 characters"),
    ("no event time", {k: v for k, v in GOOD.items() if k != "event_time"}, "event_time", "missing clock"),
    ("no knowledge time", {**GOOD, "knowledge_time": None}, "knowledge_time", "missing clock"),
    ("naive time", {**GOOD, "knowledge_time": "2024-05-02T20:30:00"}, "knowledge_time", "naive time"),
    ("a date alone", {**GOOD, "event_time": "2024-05-02"}, "event_time", "naive time"),
    ("not a time", {**GOOD, "event_time": "yesterday"}, "event_time", "not an instant"),
    ("a number for a time", {**GOOD, "event_time": 1714680000}, "event_time", "not an instant"),
    ("before year 1 in UTC", {**GOOD, "event_time": "0001-01-01T00:00:00+14:00"}, "event_time", "out of range"),
    ("from the future", {**GOOD, "knowledge_time": "2026-01-05T00:05:01Z"}, "knowledge_time", "in the future"),
    ("negative revision", {**GOOD, "revision_seq": -1}, "revision_seq", "not a whole number"),
    ("true as a revision", {**GOOD, "revision_seq": True}, "revision_seq", "not a whole number"),
    ("too large a revision", {**GOOD, "revision_seq": 10_000_000_000}, "revision_seq", "not a whole number"),
    ("unknown operation", {**GOOD, "op": "update"}, "op", "unknown operation"),
    ("values as a list", {**GOOD, "values": [1.0]}, "values", "is not an object"),
    ("unknown column", {**GOOD, "values": {"close": 1.0, "clsoe": 1.0}}, "clsoe", "unknown field"),
    ("required value missing", {**GOOD, "values": {"open": 1.0}}, "close", "missing value"),
    ("text for a number", {**GOOD, "values": {"close": "173.03"}}, "close", "wrong type"),
    ("true for a number", {**GOOD, "values": {"close": True}}, "close", "wrong type"),
    ("negative price", {**GOOD, "values": {"close": -1.0}}, "close", "not above 0"),
    ("zero price", {**GOOD, "values": {"close": 0}}, "close", "not above 0"),
    ("negative volume", {**GOOD, "values": {"close": 1.0, "volume": -1}}, "volume", "below 0"),
    ("NaN", {**GOOD, "values": {"close": float("nan")}}, "close", "not a finite number"),
    ("too large a whole number", {**GOOD, "values": {"close": 10**400}}, "close", "too large"),
    ("a delete with values", {**GOOD, "op": "delete"}, "values", "a delete has values"),
]


@pytest.mark.parametrize(("record", "field", "rule"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_record_is_refused_naming_field_rule_and_remedy(record, field, rule):
    with pytest.raises(FactError) as caught:
        parse_fact(PRICES_DAILY, record, now=NOW)
    assert caught.value.field == field
    assert rule in caught.value.rule
    assert caught.value.remedy


def test_a_text_may_not_be_of_any_length():
    with pytest.raises(FactError) as caught:
        parse_fact(INSTRUMENTS, {**GOOD, "values": {"name": "x" * 10_001}}, now=NOW)
    assert (caught.value.field, caught.value.rule) == ("name", "longer than 10000 characters")


def test_knowledge_may_run_ahead_by_the_tolerated_skew():
    record = {**GOOD, "knowledge_time": "2026-01-05T00:05:00Z"}
    assert parse_fact(PRICES_DAILY, record, now=NOW)["knowledge_time"] > NOW


@pytest.mark.parametrize(
    ("dataset", "values", "field"),
    [(INDEX_MEMBERSHIP, {"member": 1}, "member"), (INSTRUMENTS, {"name": 7}, "name")],
)
def test_booleans_and_texts_are_not_guessed(dataset, values, field):
    with pytest.raises(FactError) as caught:
        parse_fact(dataset, {**GOOD, "values": values}, now=NOW)
    assert caught.value.field == field
