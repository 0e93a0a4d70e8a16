"""Puts trouble into the traffic, on purpose, from a seed, and knows what must become of each piece.

1. :func:`disturb` takes one feed in the order it became known, cuts it into batches, sends one record in twenty a
   second time, holds some back to arrive after everything newer, and swaps batches with later ones. None of this
   may change what the lake answers; the repeats must be counted as duplicates.
2. :func:`bad_deliveries` makes one of each kind of bad record. Each must end in the quarantine, whole, under the rule
   it breaks; a delivery that cannot be read at all is one piece.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from local.demo.errors import StoryImpossibleError
from local.demo.model import Feed
from vintner.bitemporal.model import ENTITY, EVENT_TIME, KNOWLEDGE_TIME, OP, REVISION_SEQ, Operation
from vintner.marketdata import MACRO_DATA, MACRO_SERIES, MARKET_DATA, PRICES_DAILY, REFERENCE
from vintner.messaging import MAX_RECORDS, SCHEMA

SEED: Final = 20081231
DUPLICATE_SHARE: Final = 0.05
LATE_SHARE: Final = 0.02
BATCH: Final = 500

Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """One feed as it is sent: ``records`` in this order, then, when everything else is through, ``late``."""

    dataset: str
    source: str
    records: Sequence[Record]
    late: Sequence[Record]
    duplicates: int
    moved_batches: int

    @property
    def sent(self) -> int:
        """Number of records, repeats among them."""
        return len(self.records) + len(self.late)

    @property
    def stream(self) -> str:
        """Logical name of the stream that carries them."""
        return REFERENCE[self.dataset].stream


@dataclass(frozen=True, kw_only=True, slots=True)
class BadDelivery:
    """One bad piece: the bytes that are sent, and the rule and payload under which it must be found again."""

    kind: str
    rule: str
    stream: str
    data: bytes
    payload: str


def records_of(feed: Feed) -> list[Record]:
    """Return a feed's rows as records of the wire, in the order they became known; a null clock is left out."""
    return list(_in_order(feed.facts))


def _in_order(facts: pa.Table) -> Iterator[Record]:
    ordered = facts.sort_by([(KNOWLEDGE_TIME, "ascending"), (EVENT_TIME, "ascending"), (ENTITY, "ascending")])
    system = (ENTITY, EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ, OP)
    names = [name for name in ordered.column_names if name not in system]
    for batch in ordered.to_batches(max_chunksize=BATCH):
        yield from (_record(row, names) for row in batch.to_pylist())


def disturb(feed: Feed, *, seed: int = SEED) -> Traffic:
    """Return a feed's traffic with repeats, late records and swapped batches.

    Examples
    --------
    >>> traffic = disturb(feed)  # doctest: +SKIP
    >>> traffic.sent - feed.rows == traffic.duplicates  # doctest: +SKIP
    True
    """
    chance = random.Random(f"{seed}/{feed.name}/{feed.dataset}")  # noqa: S311 - trouble that can be repeated
    records = records_of(feed)
    complete = [place for place, record in enumerate(records) if {EVENT_TIME, KNOWLEDGE_TIME} <= set(record)]
    held_back = set(chance.sample(complete, round(LATE_SHARE * len(complete))))
    newest = len(records) - 1
    late = [record for place, record in enumerate(records) if place in held_back and place != newest]
    sent = [record for place, record in enumerate(records) if place not in held_back or place == newest]
    repeats = chance.sample(records, round(DUPLICATE_SHARE * len(records)))
    for record in repeats:
        sent.insert(chance.randrange(len(sent) + 1), record)
    batches = [sent[start : start + BATCH] for start in range(0, len(sent), BATCH)]
    moved = _swap(batches, chance)
    return Traffic(
        dataset=feed.dataset,
        source=feed.name,
        records=[record for batch in batches for record in batch],
        late=late,
        duplicates=len(repeats),
        moved_batches=moved,
    )


def bad_deliveries(feeds: Iterable[Feed], *, now: datetime) -> list[BadDelivery]:
    """Return one of each kind of bad piece, made from real records of the feeds.

    They are meant to be sent when the feeds have landed, so that a contradiction meets what it contradicts.
    """
    price = _first(feeds, PRICES_DAILY.name)
    macro = _first(feeds, MACRO_SERIES.name)
    values = price["values"]
    wrong = {
        "missing clock": ("missing clock", {name: price[name] for name in price if name != KNOWLEDGE_TIME}),
        "unknown symbol": ("unknown entity", {**price, ENTITY: "NO-SUCH-SYMBOL"}),
        "wrong type": ("wrong type, not a number", {**price, "values": {**values, "close": "a lot"}}),
        "negative price": ("not above 0", {**price, "values": {**values, "close": -values["close"]}}),
        "unknown field": ("unknown field", {**price, "values": {**values, "colour": "red"}}),
    }
    naive = str(macro[EVENT_TIME]).removesuffix("+00:00")
    tomorrow = (now + timedelta(days=1)).isoformat()
    wrong_macro = {
        "naive time": ("naive time", {**macro, EVENT_TIME: naive}),
        "version key repeated with other values": (
            "version key with other values",
            {**macro, "values": {"value": macro["values"]["value"] + 1.0}},
        ),
        "knowledge from the future": ("knowledge time in the future", {**macro, KNOWLEDGE_TIME: tomorrow}),
    }
    return [
        *(_bad_record(kind, rule, PRICES_DAILY.name, record, now) for kind, (rule, record) in wrong.items()),
        *(_bad_record(kind, rule, MACRO_SERIES.name, record, now) for kind, (rule, record) in wrong_macro.items()),
        _whole("oversized batch", "oversized batch", MARKET_DATA,
               _envelope(PRICES_DAILY.name, [price] * (MAX_RECORDS + 1), now)),
        _whole("malformed bytes", "malformed bytes", MACRO_DATA, b"\xff\xfe{not json"),
        _whole("unknown dataset", "unknown dataset", MACRO_DATA, _envelope("tea_leaves", [macro], now)),
    ]  # fmt: skip


def _record(row: Mapping[str, Any], names: Sequence[str]) -> Record:
    stated = {ENTITY: row[ENTITY], REVISION_SEQ: row[REVISION_SEQ], OP: row[OP]}
    stated |= {clock: row[clock].isoformat() for clock in (EVENT_TIME, KNOWLEDGE_TIME) if row[clock] is not None}
    values = {} if row[OP] == Operation.DELETE else {name: row[name] for name in names if row[name] is not None}
    return {**stated, "values": values}


def _swap(batches: list[list[Record]], chance: random.Random) -> int:
    """Swap every fourth batch with one of the next three; return how many batches are out of their place."""
    moved = 0
    for place in range(0, len(batches) - 1, 4):
        other = min(place + chance.randint(1, 3), len(batches) - 1)
        batches[place], batches[other] = batches[other], batches[place]
        moved += 2
    return moved


def _first(feeds: Iterable[Feed], dataset: str) -> Record:
    for feed in (feed for feed in feeds if feed.dataset == dataset):
        for record in _in_order(feed.facts):
            if record[OP] == Operation.UPSERT and {EVENT_TIME, KNOWLEDGE_TIME} <= set(record):
                return record
    remedy = "add facts of it"
    raise StoryImpossibleError(question=f"what becomes of bad {dataset}", problem="there are none", remedy=remedy)


def _bad_record(kind: str, rule: str, dataset: str, record: Record, now: datetime) -> BadDelivery:
    return BadDelivery(
        kind=kind,
        rule=rule,
        stream=REFERENCE[dataset].stream,
        data=_envelope(dataset, [record], now),
        payload=json.dumps(record, ensure_ascii=False, separators=(",", ":")),
    )


def _whole(kind: str, rule: str, stream: str, data: bytes) -> BadDelivery:
    try:
        payload = data.decode()
    except UnicodeDecodeError:
        payload = "base64:" + base64.b64encode(data).decode()
    return BadDelivery(kind=kind, rule=rule, stream=stream, data=data, payload=payload)


def _envelope(dataset: str, records: Sequence[Record], now: datetime) -> bytes:
    """Return an envelope as bytes; unlike the library's own encoder it refuses nothing."""
    wire = {"schema": SCHEMA, "dataset": dataset, "source": "demo-faults", "producer": "demo",
            "sent_at": now.isoformat(), "records": list(records)}  # fmt: skip
    return json.dumps(wire, ensure_ascii=False, separators=(",", ":")).encode()
