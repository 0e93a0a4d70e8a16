"""Ingest end to end in one process: envelopes in, facts, refusals and online items out, cut off anywhere."""

from __future__ import annotations

import base64
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.faults import KINDS, SWITCH, Crash, open_faulty_catalog
from vintner.features import MemoryOnlineStore
from vintner.lake import CommitUnknownError, FactStore, LakeReader, ensure_database, load_table, migrate
from vintner.marketdata import DATASETS, INSTRUMENTS, MARKET_DATA, PRICES_DAILY, datasets_of, ingest
from vintner.messaging import MAX_BYTES, MAX_RECORDS, Delivery, Envelope, encode

NOW = datetime(2026, 1, 5, tzinfo=UTC)
DATABASE = "facts"


def record(entity="AAPL", day=2, close=1.0, revision=0, **changes):
    return {
        "entity": entity,
        "event_time": f"2024-05-{day:02d}T20:00:00+00:00",
        "knowledge_time": f"2024-05-{day:02d}T20:30:00+00:00",
        "revision_seq": revision,
        "values": {"close": close},
    } | changes


def envelope(dataset, *records):
    return encode(Envelope(dataset=dataset, source="vendor", producer="test", sent_at=NOW, records=records))


INSTRUMENT = record(values={"name": "Apple", "currency": "USD"})
GOOD = [
    envelope("instruments", INSTRUMENT),
    envelope("prices_daily", record(day=2), record(day=3, close=2.0)),
    envelope("prices_daily", record(day=2), record(day=2, close=1.5, revision=1)),
    envelope("prices_daily", record(day=3, op="delete", values={}, knowledge_time="2024-05-04T00:00:00+00:00")),
]
BAD = [
    (envelope("prices_daily", record(knowledge_time=None)), "knowledge_time", "missing clock"),
    (envelope("prices_daily", record(event_time="2024-05-02T20:00:00")), "event_time", "naive time"),
    (envelope("prices_daily", record(entity="APPL")), "entity", "unknown entity"),
    (envelope("prices_daily", record(close="1.0")), "close", "wrong type, not a number"),
    (envelope("prices_daily", record(close=-1.0)), "close", "not above 0"),
    (envelope("prices_daily", record(close=9.0)), "revision_seq", "version key with other values"),
    (envelope("prices_daily", *[record()] * (MAX_RECORDS + 1)), "records", "oversized batch"),
    (b"x" * (MAX_BYTES + 1), "delivery", "oversized batch"),
    (b"\xfe\xff not json", "delivery", "malformed bytes"),
    (envelope("prices_monthly", record()), "dataset", "unknown dataset"),
    (envelope("macro_series", record()), "dataset", "unknown dataset"),
    (envelope("prices_daily", "AAPL"), "record", "is not an object"),
]


def deliveries(*data, start=1):
    return [
        Delivery(stream="market", shard="0", sequence=number, data=one, arrived_at=NOW)
        for number, one in enumerate(data, start)
    ]


class World:
    """A lake and an online store."""

    def __init__(self, folder: Path) -> None:
        self.catalog = open_faulty_catalog(folder)
        ensure_database(self.catalog, DATABASE)
        migrate(self.catalog, DATABASE, str(folder), DATASETS.values())
        self.online = MemoryOnlineStore()
        self.datasets = datasets_of(MARKET_DATA) | {PRICES_DAILY.name: replace(PRICES_DAILY, ttl=None)}

    def ingest(self, batch):
        """What one invocation of a new process does."""
        store = FactStore(self.catalog, DATABASE, clock=lambda: NOW)
        return ingest(batch, self.datasets, store=store, online=self, now=NOW)

    def put(self, dataset, rows):
        with SWITCH.write():
            return self.online.put(dataset, rows)

    def prices(self):
        rows = LakeReader(self.catalog, DATABASE).read(PRICES_DAILY).to_pylist()
        return sorted((r["event_time"].day, r["revision_seq"], r["op"], r["close"]) for r in rows)

    def quarantine(self):
        return load_table(self.catalog, DATABASE, "quarantine").scan().to_arrow().to_pylist()

    def latest(self):
        return self.online.latest(PRICES_DAILY, "AAPL", at=NOW, known_at=NOW)


@pytest.fixture
def world() -> Iterator[World]:
    SWITCH.arm(None, KINDS[0])
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        yield world
        world.catalog.close()


KEPT = [(2, 0, "upsert", 1.0), (2, 1, "upsert", 1.5), (3, 0, "delete", None), (3, 0, "upsert", 2.0)]


def test_good_records_land_once_and_are_served(world):
    report = world.ingest(deliveries(*GOOD))
    assert (report.records, report.kept, report.duplicates, report.refused) == (6, 5, 1, {})
    assert world.prices() == KEPT
    assert world.latest()["close"] == 1.5, "the newest event was deleted: the answer is the older one, as restated"
    again = world.ingest(deliveries(*GOOD))
    assert (again.kept, again.redelivered + again.duplicates) == (0, 6)
    assert world.prices() == KEPT


@pytest.mark.parametrize(("data", "field", "rule"), BAD)
def test_a_bad_record_is_kept_aside_with_its_reason_and_blocks_nothing(world, data, field, rule):
    world.ingest(deliveries(*GOOD[:2]))
    report = world.ingest(deliveries(data, GOOD[2], GOOD[3], start=10))
    assert world.prices() == KEPT, "what came after the bad record is landed"
    assert report.refused.get(rule)
    refused = [row for row in world.quarantine() if row["rule"] == rule]
    assert {row["field"] for row in refused} == {field}
    assert all(row["remedy"] and row["sequence"] == "10" for row in refused)
    assert refused[0]["payload"] == whole(data, refused[0]["position"])


def whole(data, position):
    """What was sent: the record at a position of an envelope, or the whole delivery."""
    if position >= 0:
        return json.dumps(json.loads(data)["records"][position], separators=(",", ":"))
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(data).decode()


def test_an_instrument_in_the_same_batch_is_known(world):
    report = world.ingest(deliveries(GOOD[1], GOOD[0]))
    assert (report.kept, report.refused) == (3, {})


def test_an_unknown_instrument_is_known_once_stated(world):
    assert world.ingest(deliveries(GOOD[1])).refused == {"unknown entity": 2}
    world.ingest(deliveries(GOOD[0], start=2))
    assert world.ingest(deliveries(GOOD[1], start=3)).kept == 2


def test_what_can_no_longer_be_an_answer_is_kept_but_not_served(world):
    world.datasets[PRICES_DAILY.name] = replace(PRICES_DAILY, ttl=NOW - datetime(2024, 5, 3, tzinfo=UTC))
    world.ingest(deliveries(*GOOD[:3]))
    assert [row[:2] for row in world.prices()] == [(2, 0), (2, 1), (3, 0)]
    earlier = datetime(2024, 5, 3, tzinfo=UTC)
    assert world.latest()["close"] == 2.0
    assert world.online.latest(PRICES_DAILY, "AAPL", at=earlier, known_at=earlier) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
instants = st.datetimes(timezones=st.just(UTC) | st.none()).map(datetime.isoformat)
almost_records = st.fixed_dictionaries(
    {},
    optional={
        "entity": st.sampled_from(["AAPL", "MSFT", "\x00", "é#/"]) | json_values,
        "event_time": instants | json_values,
        "knowledge_time": instants | json_values,
        "revision_seq": st.integers(0, 2**70) | json_values,
        "op": st.sampled_from(["upsert", "delete"]) | json_values,
        "values": st.dictionaries(st.sampled_from(["close", "open", "volume"]), st.floats(1, 1e308) | json_values),
        "else": json_values,
    },
)
almost_envelopes = st.builds(
    lambda dataset, records: json.dumps(
        {"schema": "vintner.facts/1", "dataset": dataset, "source": "s", "producer": "p", "sent_at": NOW.isoformat()}
        | {"records": records}
    ).encode(),
    st.sampled_from(["prices_daily", "instruments", "index_membership"]) | st.text(),
    st.lists(almost_records | json_values, max_size=6) | json_values,
)


@pytest.fixture(scope="module")
def one_world() -> Iterator[World]:
    SWITCH.arm(None, KINDS[0])
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.ingest(deliveries(GOOD[0]))
        yield world
        world.catalog.close()


@settings(max_examples=60, deadline=None)
@given(sent=st.lists(almost_envelopes | st.binary(max_size=40), min_size=1, max_size=4), start=st.integers(1, 2**60))
def test_whatever_is_sent_is_kept_or_refused_and_never_stops_the_stream(one_world, sent, start):
    report = one_world.ingest(deliveries(*sent, start=start))
    accounted = report.kept + report.duplicates + report.redelivered + sum(report.refused.values())
    assert report.records == accounted


@pytest.mark.parametrize("kind", KINDS)
def test_cut_off_between_any_two_writes_nothing_is_lost_or_doubled(world, kind):
    """Each round sends the same things about another month to the same world, and fails one write later."""
    at, reached = 0, True
    while reached:
        at += 1
        month = f"20{10 + at // 12:02d}-{at % 12 + 1:02d}"
        good = [data.replace(b"2024-05", month.encode()) for data in GOOD]
        batch = deliveries(*good, BAD[4][0], BAD[8][0], start=at * 100)
        SWITCH.arm(at, kind)
        try:
            world.ingest(batch)
        except (Crash, CommitUnknownError):
            SWITCH.arm(None, kind)
            world.ingest(batch)
        else:
            reached = SWITCH.writes >= at
        SWITCH.arm(None, kind)
        served = world.online.latest(PRICES_DAILY, "AAPL", at=NOW, known_at=NOW)
        assert served is not None
        assert served["close"] == 1.5
    rows = LakeReader(world.catalog, DATABASE).read(PRICES_DAILY).to_pylist()
    months = Counter(row["event_time"].strftime("%Y-%m") for row in rows)
    stated = Counter((r["event_time"].day, r["revision_seq"], r["op"], r["close"]) for r in rows)
    assert set(months.values()) == {len(KEPT)}
    assert stated == dict.fromkeys(KEPT, at)
    assert len(world.quarantine()) == 2 * at
    assert at > 15, "two fact tables, the quarantine and the online store"
    assert LakeReader(world.catalog, DATABASE).read(INSTRUMENTS).num_rows == at
