"""Landing a stream: deliveries become facts in the lake, refusals in the quarantine, and items online.

1.  Every delivery is unpacked; one that cannot be read is refused whole.
2.  The records of all of them become one table. What is missing or out of range is refused; what is left is
    normalised, which may refuse more.
3.  What is accepted becomes rows of the dataset, ``record_id`` naming the place of each, and is landed in one commit
    however many deliveries it came in. A version key that is there already with other values is refused.
4.  Refusals are landed in the quarantine.
5.  The versions the lake holds under the keys of the call go to the online store, also those that were there before:
    if an earlier try was cut off between the lake and the store, this one completes it.

Each step can be repeated, and nothing between two of them can be lost: whatever is cut off, the next delivery of the
same records, in the same batches or in others, finds what is done and does the rest. Nothing relies on checkpoints or
on sequence numbers; a version is known by its key.

What the call gives back is a function of the deliveries and of what the lake held. The age above which a fact is no
longer served is counted from the newest arrival of the call, so no clock is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from vintner.lake.judging import Judgement
from vintner.lake.model import RECORD_ID, Dataset
from vintner.lake.quarantine import Refusal
from vintner.marketdata.landing.checks import check_facts, check_records
from vintner.marketdata.landing.model import Broken, LandReport, Normalise, Online, Store
from vintner.marketdata.landing.payload import payloads
from vintner.marketdata.landing.reading import ARRIVED_AT, DELIVERY, POSITION, ROW, Incoming, read_deliveries
from vintner.marketdata.landing.rows import fact_rows
from vintner.messaging.kinesis import Delivery, checkpoints
from vintner.messaging.records import schema_of
from vintner.messaging.streams import Stream

Marks = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of accepted rows: the lake's judgement, those refused after all, and further counts by name."""

    judgement: Judgement
    broken: Sequence[Broken] = ()
    notes: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def nothing(cls, dataset: Dataset, broken: Sequence[Broken] = ()) -> Self:
        """Return what becomes of no rows."""
        return cls(Judgement.nothing(dataset), broken)


CONFLICT: Final = ("revision_seq", "version key with other values", "state what changed as a new version, known later")


class Lander:
    """Lands the records of one stream in its dataset, exactly once.

    Parameters
    ----------
    stream, dataset
        Where records come from and where they go.
    store
        The lake and the quarantine.
    online
        Where the versions are served from; None serves none.
    normalise
        What records go through between the checks of their type and those of the dataset; None nothing.

    Examples
    --------
    >>> lander = Lander(SIGNALS_STREAM, SIGNALS, FactStore(catalog, database, clock=clock))  # doctest: +SKIP
    >>> lander.land(deliveries(event)).kept  # doctest: +SKIP
    100
    """

    def __init__(
        self,
        stream: Stream,
        dataset: Dataset,
        store: Store,
        online: Online | None = None,
        normalise: Normalise | None = None,
    ) -> None:
        self._stream = stream
        self._dataset = dataset
        self._store = store
        self._online = online
        self._normalise = normalise

    def land(self, deliveries: Sequence[Delivery]) -> LandReport:
        """Land the records of deliveries of the stream, in order within each shard; see the module's steps.

        Raises
        ------
        VintnerError
            Infrastructure failed. The call has to be repeated; nothing is lost or doubled by that.
        """
        marks = checkpoints(deliveries)
        incoming = read_deliveries(deliveries, self._stream.record)
        accepted, broken = self._sift(incoming.rows)
        settled = Settled.nothing(self._dataset)
        if accepted.num_rows:
            settled = self._settle(fact_rows(self._dataset, accepted, incoming.deliveries), accepted, marks)
        refusals = [*incoming.unreadable, *self._refusals(incoming, [*broken, *settled.broken])]
        if refusals:
            self._store.refuse(refusals, checkpoints=marks)
        self._serve(settled.judgement, incoming)
        return self._report(incoming, settled, refusals)

    def _sift(self, rows: pa.Table) -> tuple[pa.Table, list[Broken]]:
        """Return the rows that may be facts, and what is wrong with the others."""
        rows, broken = check_records(rows, self._stream.record, self._dataset)
        if not rows.num_rows:
            return rows, broken
        if self._normalise is not None:
            given = rows[ROW]
            normalised = self._normalise(rows)
            rows = normalised.rows
            for one in normalised.refused.to_pylist():
                broken.append(Broken(given[one["row"]].as_py(), one["field"], one["rule"], one["remedy"]))
        rows, more = check_facts(rows, self._dataset)
        return rows, broken + more

    def _settle(self, facts: pa.Table, accepted: pa.Table, marks: Marks) -> Settled:
        """Land facts; of the accepted rows those that contradict the lake are refused.

        ``facts`` and ``accepted`` have the same rows in the same order.
        """
        judgement = self._keep(facts, accepted, marks)
        contradicting = pc.index_in(judgement.conflicts[RECORD_ID], value_set=facts[RECORD_ID].combine_chunks())
        rows = accepted[ROW].take(contradicting).to_pylist()
        return Settled(judgement, [Broken(row, *CONFLICT) for row in rows])

    def _keep(self, facts: pa.Table, accepted: pa.Table, marks: Marks) -> Judgement:  # noqa: ARG002 - for subclasses
        """Commit facts to the lake, once."""
        return self._store.land(self._dataset, facts, checkpoints=marks)

    def _serve(self, judgement: Judgement, incoming: Incoming) -> None:
        """Put what the lake holds, and what can be an answer, into the online store."""
        if self._online is None or not judgement.held.num_rows:
            return
        newest = pc.max(incoming.rows[ARRIVED_AT]).as_py()
        served = self._dataset.can_answer_rows(judgement.held, from_=newest)
        if served.num_rows:
            self._online.put(self._dataset, served)

    def _refusals(self, incoming: Incoming, broken: Sequence[Broken]) -> list[Refusal]:
        if not broken:
            return []
        names = schema_of(self._stream.record).names
        rows = incoming.rows.take(pa.array([one.row for one in broken], pa.int64()))
        keys = zip(*(rows[name].to_pylist() for name in self._stream.key), strict=True)
        placed = zip(rows[DELIVERY].to_pylist(), rows[POSITION].to_pylist(), strict=True)
        made = []
        for one, payload, key, (number, position) in zip(
            broken, payloads(rows.select(names)), keys, placed, strict=True
        ):
            delivery = incoming.deliveries[number]
            made.append(
                Refusal(
                    stream=delivery.stream,
                    shard=delivery.shard,
                    sequence=delivery.sequence,
                    position=position,
                    field=one.field,
                    rule=one.rule,
                    remedy=one.remedy,
                    payload=payload,
                    arrived_at=delivery.arrived_at,
                    dataset=self._dataset.name,
                    entity="/".join(part for part in key if part is not None) or None,
                )
            )
        return made

    def _report(self, incoming: Incoming, settled: Settled, refusals: Sequence[Refusal]) -> LandReport:
        judgement = settled.judgement
        return LandReport(
            records=incoming.rows.num_rows + len(incoming.unreadable),
            kept=judgement.kept.num_rows,
            redelivered=judgement.redelivered.num_rows,
            duplicates=judgement.duplicates.num_rows,
            refused=dict(Counter(refusal.rule for refusal in refusals)),
            sent_at=incoming.sent_at,
            notes=settled.notes,
        )
