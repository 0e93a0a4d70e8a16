"""The trouble made on purpose: counted, repeatable, and refused by the processors under the rule that is expected."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from local.demo.faults import BadDelivery, Record, bad_deliveries, disturb, records_of
from local.demo.model import Feed
from local.demo.sources.clocks import upserts
from vintner.bitemporal.model import INSTANT
from vintner.lake import Judgement, judge
from vintner.lake.facts import Row, as_batch
from vintner.lake.model import Dataset
from vintner.lake.quarantine import Refusal
from vintner.marketdata import datasets_of, ingest
from vintner.messaging import Delivery, Envelope, encode

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def feed_of(dataset: str, column: str, rows: int) -> Feed:
    days = pa.array([datetime(2020, 1, 1, tzinfo=UTC).timestamp() * 1e6 + 86400e6 * n for n in range(rows)])
    at = days.cast(pa.int64()).cast(INSTANT)
    values = pa.array([1.5 + n for n in range(rows)])
    facts = pa.table({"entity": [f"E{n % 7}" for n in range(rows)], "event_time": at, "knowledge_time": at})
    facts = upserts(facts.append_column(column, values))
    return Feed(name="test", dataset=dataset, facts=facts, origin="made", known_by_rule="at once")


@pytest.fixture(scope="module")
def feeds() -> list[Feed]:
    return [feed_of("prices_daily", "close", 2600), feed_of("macro_series", "value", 900)]


@dataclass
class Memory:
    """Store and online store of the processors, as lists."""

    held: dict[str, pa.Table] = field(default_factory=dict)
    duplicates: int = 0
    refused: list[Refusal] = field(default_factory=list)

    @property
    def rows(self) -> list[Row]:
        return [row for held in self.held.values() for row in held.to_pylist()]

    def land(self, dataset: Dataset, facts: Iterable[Row], *, checkpoints: Mapping[str, int]) -> Judgement:
        held = self.held.setdefault(dataset.name, dataset.schema.empty_table())
        judged = judge(dataset, as_batch(dataset, facts), held)
        self.held[dataset.name] = pa.concat_tables([held, judged.kept])
        self.duplicates += judged.duplicates.num_rows
        return replace(judged, held=dataset.schema.empty_table())

    def refuse(self, refusals: Iterable[Refusal], *, checkpoints: Mapping[str, int]) -> list[Refusal]:
        self.refused += refusals
        return self.refused

    def unknown(self, dataset: str, entities: set[str]) -> set[str]:
        return {entity for entity in entities if not entity.startswith("E")}

    def put(self, dataset: Dataset, rows: pa.Table) -> int:
        return int(rows.num_rows)


def process(memory: Memory, stream: str, payloads: Iterable[bytes]) -> None:
    batch = [Delivery(stream=stream, shard="0", sequence=n, data=data, arrived_at=NOW)
             for n, data in enumerate(payloads)]  # fmt: skip
    ingest(batch, datasets_of(stream), store=memory, online=memory, now=NOW)


def wire(dataset: str, records: Iterable[Record]) -> bytes:
    envelope = Envelope(dataset=dataset, source="test", producer="test", sent_at=NOW, records=list(records))
    return encode(envelope)


def key(record: Record) -> str:
    return json.dumps(record, sort_keys=True)


def test_traffic_is_the_feed_and_its_repeats(feeds: list[Feed]) -> None:
    for feed in feeds:
        traffic = disturb(feed)
        stated = Counter(map(key, records_of(feed)))
        sent = Counter(map(key, [*traffic.records, *traffic.late]))
        assert set(sent) == set(stated)
        assert sum((sent - stated).values()) == traffic.duplicates == round(0.05 * feed.rows)
        assert traffic.sent == feed.rows + traffic.duplicates


def test_late_records_are_older_than_what_was_sent_before_them(feeds: list[Feed]) -> None:
    traffic = disturb(feeds[0])
    newest = max(record["knowledge_time"] for record in traffic.records)
    assert len(traffic.late) >= 0.019 * feeds[0].rows
    assert all(record["knowledge_time"] < newest for record in traffic.late)


def test_batches_are_out_of_order_and_the_seed_repeats_them(feeds: list[Feed]) -> None:
    traffic = disturb(feeds[0])
    known = [record["knowledge_time"] for record in traffic.records]
    assert known != sorted(known)
    assert traffic.moved_batches > 0
    assert disturb(feeds[0]) == traffic
    assert disturb(feeds[0], seed=1) != traffic


def test_trouble_in_transit_changes_nothing_that_is_kept(feeds: list[Feed]) -> None:
    traffic = disturb(feeds[1])
    memory = Memory()
    process(memory, "macro_data", [wire("macro_series", traffic.records[n : n + 500]) for n in (0, 500)])
    process(memory, "macro_data", [wire("macro_series", traffic.late)])
    assert (len(memory.rows), memory.duplicates, memory.refused) == (feeds[1].rows, traffic.duplicates, [])


def test_a_row_without_a_clock_is_sent_without_it() -> None:
    feed = feed_of("macro_series", "value", 3)
    gone = pa.array([None] * 3, INSTANT)
    facts = feed.facts.set_column(feed.facts.schema.get_field_index("event_time"), "event_time", gone)
    lost = Feed(name="t", dataset="macro_series", facts=facts, origin="", known_by_rule="")
    assert all("event_time" not in record for record in records_of(lost))


def test_every_kind_of_bad_record_is_there_once(feeds: list[Feed]) -> None:
    kinds = [bad.kind for bad in bad_deliveries(feeds, now=NOW)]
    assert len(kinds) == len(set(kinds)) == 11


@pytest.mark.parametrize("place", range(11))
def test_a_bad_record_is_refused_under_its_rule_and_kept_whole(feeds: list[Feed], place: int) -> None:
    bad: BadDelivery = bad_deliveries(feeds, now=NOW)[place]
    memory = Memory()
    for feed in (feed for feed in feeds if disturb(feed).stream == bad.stream):
        process(memory, bad.stream, [wire(feed.dataset, records_of(feed)[:500])])
    kept = len(memory.rows)
    process(memory, bad.stream, [bad.data])
    assert [(refusal.rule, refusal.payload) for refusal in memory.refused] == [(bad.rule, bad.payload)]
    assert len(memory.rows) == kept
