"""Ingest: a batch of deliveries becomes facts in the lake, refusals in the quarantine, and items online.

1.  Every delivery is read as an envelope, every record validated against its dataset. What breaks a rule becomes a
    refusal with the record, the field, the rule and the remedy; nothing is dropped and nothing stops the batch.
2.  Dataset by dataset, those that others depend on first: records about entities the platform does not know are
    refused, the rest is landed exactly once. A version key that is there already with other values is refused.
3.  Refusals are landed in the quarantine exactly once.
4.  The versions the lake holds under the batch's keys are put into the online store, also those that were there
    before: if an earlier try was cut off between the lake and the store, this one completes it. Those too old to
    ever be an answer again are left out.

Each step can be repeated: whatever happens between two of them, the next delivery of the same batch finds what is
done and does the rest. So the lake is written before the quarantine, and the online store last: it holds nothing
that the lake does not.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

import pyarrow as pa

from vintner.bitemporal.model import ENTITY
from vintner.lake.errors import FactError
from vintner.lake.facts import Row
from vintner.lake.judging import Judgement
from vintner.lake.model import RECORD_ID, SOURCE, Dataset
from vintner.lake.quarantine import Refusal
from vintner.lake.validate import parse_fact
from vintner.messaging.envelope import decode
from vintner.messaging.errors import EnvelopeError
from vintner.messaging.kinesis import Delivery, checkpoints

WHOLE_DELIVERY: Final = -1


class Store(Protocol):
    """Where facts and refusals are landed (:class:`vintner.lake.store.FactStore`)."""

    def land(self, dataset: Dataset, facts: Iterable[Row], *, checkpoints: Mapping[str, int]) -> Judgement:
        """Land facts exactly once."""
        ...

    def refuse(self, refusals: Iterable[Refusal], *, checkpoints: Mapping[str, int]) -> list[Refusal]:
        """Keep refusals exactly once."""
        ...

    def unknown(self, dataset: str, entities: set[str]) -> set[str]:
        """Return the entities a dataset has never known."""
        ...


class Online(Protocol):
    """Where versions are served from (an online store of :mod:`vintner.features`)."""

    def put(self, dataset: Dataset, rows: pa.Table) -> int:
        """Put versions, in any order and any number of times."""
        ...


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of the records of a batch. ``refused`` counts by rule."""

    records: int = 0
    kept: int = 0
    redelivered: int = 0
    duplicates: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Stated:
    """A record, and the delivery it came in."""

    delivery: Delivery
    position: int
    dataset: Dataset
    record: Any
    fact: Row


def ingest(
    batch: Sequence[Delivery], datasets: Mapping[str, Dataset], *, store: Store, online: Online, now: datetime
) -> IngestReport:
    """Ingest a batch of deliveries; see the module's steps.

    Parameters
    ----------
    batch
        Deliveries of one stream, in order within each shard.
    datasets
        The datasets this stream carries, by name, those that others depend on first.
    now
        The instant of arrival, by which records are judged. The store stamps what it lands by its own clock.

    Raises
    ------
    VintnerError
        Infrastructure failed. The batch has to be delivered again; nothing of it is lost or doubled by that.
    """
    stated, refusals = _read(batch, datasets, now)
    records = len(stated) + len(refusals)
    marks = checkpoints(batch)
    judged = []
    for dataset in datasets.values():
        mine = [one for one in stated if one.dataset is dataset]
        judgement, refused = _land(dataset, mine, store, marks)
        judged.append((dataset, judgement))
        refusals += refused
    if refusals:
        store.refuse(refusals, checkpoints=marks)
    for dataset, judgement in judged:
        served = dataset.can_answer_rows(judgement.held, from_=now)
        if served.num_rows:
            online.put(dataset, served)
    return IngestReport(
        records=records,
        kept=sum(judgement.kept.num_rows for _, judgement in judged),
        redelivered=sum(judgement.redelivered.num_rows for _, judgement in judged),
        duplicates=sum(judgement.duplicates.num_rows for _, judgement in judged),
        refused=dict(Counter(refusal.rule for refusal in refusals)),
    )


def _read(
    batch: Sequence[Delivery], datasets: Mapping[str, Dataset], now: datetime
) -> tuple[list[_Stated], list[Refusal]]:
    stated: list[_Stated] = []
    refusals: list[Refusal] = []
    for delivery in batch:
        try:
            envelope = decode(delivery.data)
            dataset = _dataset(envelope.dataset, datasets)
        except EnvelopeError as error:
            refusals.append(_refusal(delivery, WHOLE_DELIVERY, error, _text(delivery.data)))
            continue
        for position, record in enumerate(envelope.records):
            lineage = {SOURCE: envelope.source, RECORD_ID: f"{delivery.place}/{position}"}
            try:
                fact = parse_fact(dataset, record, now=now) | lineage
            except FactError as error:
                refusals.append(_refusal(delivery, position, error, _json(record, delivery), dataset, record))
            else:
                stated.append(_Stated(delivery, position, dataset, record, fact))
    return stated, refusals


def _land(
    dataset: Dataset, stated: Sequence[_Stated], store: Store, marks: Mapping[str, int]
) -> tuple[Judgement, list[Refusal]]:
    if not stated:
        return Judgement.nothing(dataset), []
    strangers: set[str] = set()
    if dataset.known_entities is not None:
        strangers = store.unknown(dataset.known_entities, {one.fact[ENTITY] for one in stated})
    unknown = FactError(
        field=ENTITY, rule="unknown entity", remedy=f"state it in {dataset.known_entities}, then send the record again"
    )
    refusals = [_refuse(one, unknown) for one in stated if one.fact[ENTITY] in strangers]
    facts = [one.fact for one in stated if one.fact[ENTITY] not in strangers]
    judgement = store.land(dataset, facts, checkpoints=marks) if facts else Judgement.nothing(dataset)
    contradicting = set(judgement.conflicts[RECORD_ID].to_pylist())
    conflict = FactError(
        field="revision_seq",
        rule="version key with other values",
        remedy="facts never change: state the correction with a later knowledge_time or a higher revision_seq",
    )
    refusals += [_refuse(one, conflict) for one in stated if one.fact[RECORD_ID] in contradicting]
    return judgement, refusals


def _dataset(name: str, datasets: Mapping[str, Dataset]) -> Dataset:
    if name not in datasets:
        remedy = f"this stream carries {', '.join(datasets)}"
        raise EnvelopeError(field="dataset", rule="unknown dataset", remedy=remedy)
    return datasets[name]


def _refuse(one: _Stated, error: FactError) -> Refusal:
    return _refusal(one.delivery, one.position, error, _json(one.record, one.delivery), one.dataset, one.record)


def _refusal(
    delivery: Delivery,
    position: int,
    error: FactError | EnvelopeError,
    payload: str,
    dataset: Dataset | None = None,
    record: Any = None,
) -> Refusal:
    entity = record.get(ENTITY) if isinstance(record, Mapping) else None
    return Refusal(
        stream=delivery.stream,
        shard=delivery.shard,
        sequence=delivery.sequence,
        position=position,
        field=error.field,
        rule=error.rule,
        remedy=error.remedy,
        payload=payload,
        arrived_at=delivery.arrived_at,
        dataset=dataset.name if dataset else None,
        entity=entity if isinstance(entity, str) else None,
    )


def _json(record: Any, delivery: Delivery) -> str:
    try:
        return json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:  # nested so deeply that it could just be read: keep what was sent
        return _text(delivery.data)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(data).decode()
