"""The ledger of orders and fills: an id is claimed before its record is landed, and stands for one content for ever.

1.  Deliveries are read and checked as :mod:`vintner.marketdata.landing.lander` does.
2.  Each record claims its id with a hash of what it says (:mod:`vintner.execution.claims`). An id that stands for
    something else refuses the record as a conflict; it is kept in the quarantine. Of several in one call the first
    claims.
3.  What is left is landed in the lake, in one commit. A record that completes a claim which another delivery made, and
    did not live to land, is landed under that delivery's name.
4.  The claims are marked as landed.

Cut off after 2: the claim stands and is not marked. Whichever delivery of the record comes next (the same again, or a
duplicate) finds the claim with its own content, lands and marks it. Cut off after 3: the next delivery finds the row in
the lake by its version key, keeps nothing, and marks. Cut off within 2: some ids are claimed and others not, which is
the same for each by itself. So a claim never stops the record it was made for, and nothing relies on the mark: it tells
an operator what is unfinished, and the lake is asked in any case. Two consumers of the same records at once claim the
same content; both land, and the commit keeps one.

A fill is money, and orders travel in another stream: that its order was not seen yet is no reason to refuse a fill.
It is kept and counted (``FillsBeforeOrder``), for reconciliation to follow up.

The claims can be made again from the lake (:func:`restore_claims`), for content and place are in every row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import pyarrow as pa

from vintner.execution.claims import ClaimStore, IdClaim, claims_of, subject_of
from vintner.execution.datasets import FILLS, ORDERS
from vintner.lake.model import RECORD_ID, Dataset
from vintner.marketdata.landing import Broken, Lander, Store
from vintner.marketdata.landing.lander import Marks, Settled
from vintner.marketdata.landing.reading import ROW
from vintner.messaging.streams import Stream

CLAIMED: Final = "id claimed with other content"
REMEDY: Final = "an id stands for what it said first: send the correction under an id, or a sequence number, of its own"
BEFORE_ORDER: Final = "FillsBeforeOrder"


class LedgerLander(Lander):
    """A :class:`~vintner.marketdata.landing.Lander` of orders or fills; see the module's steps.

    Parameters
    ----------
    stream, dataset, store
        As for any lander.
    claims
        Where ids are claimed.

    Examples
    --------
    >>> ledger = LedgerLander(ORDERS_STREAM, ORDERS, store, MemoryClaimStore())  # doctest: +SKIP
    >>> ledger.land(deliveries(event)).kept  # doctest: +SKIP
    12
    """

    def __init__(self, stream: Stream, dataset: Dataset, store: Store, claims: ClaimStore) -> None:
        super().__init__(stream, dataset, store)
        self._claims = claims

    def _settle(self, facts: pa.Table, accepted: pa.Table, marks: Marks) -> Settled:
        made = claims_of(self._dataset, facts)
        first: dict[tuple[str, str], IdClaim] = {}
        for claim in made:
            first.setdefault(claim.name, claim)
        standing = dict(zip(first, self._claims.claim(list(first.values())), strict=True))
        agrees = [standing[claim.name].content == claim.content for claim in made]
        rows = accepted[ROW].to_pylist()
        key = self._dataset.key_names[-1]
        broken = [Broken(row, key, CLAIMED, REMEDY) for row, same in zip(rows, agrees, strict=True) if not same]
        if len(broken) == len(rows):
            return Settled.nothing(self._dataset, broken)
        keep = pa.array(agrees)
        facts = _named(facts, made, first, standing).filter(keep)
        settled = super()._settle(facts, accepted.filter(keep), marks)
        contradicting = set(settled.judgement.conflicts[RECORD_ID].to_pylist())
        landed = {claim.name for claim, same in zip(made, agrees, strict=True) if same}
        self._claims.landed(
            [
                claim
                for name, claim in standing.items()
                if name in landed and not claim.landed and claim.record_id not in contradicting
            ]
        )
        return replace(settled, broken=[*broken, *settled.broken], notes=self._notes(facts))

    def _notes(self, facts: pa.Table) -> Mapping[str, int]:
        if self._dataset.name != FILLS.name:
            return {}
        subjects = [subject_of(ORDERS, order) for order in facts["order_id"].to_pylist()]
        seen = self._claims.seen(set(subjects))
        return {BEFORE_ORDER: sum(subject not in seen for subject in subjects)}


def restore_claims(dataset: Dataset, rows: pa.Table, claims: ClaimStore) -> int:
    """Claim every id that the lake holds, as landed; return how many. It may be repeated, and run beside consumers.

    Parameters
    ----------
    rows
        Rows of the dataset as the lake holds them.
    """
    stated = {claim.name: replace(claim, landed=True) for claim in claims_of(dataset, rows)}
    standing = claims.claim(list(stated.values()))
    claims.landed([claim for claim in standing if not claim.landed])
    return len(stated)


def _named(
    facts: pa.Table,
    made: Sequence[IdClaim],
    first: Mapping[tuple[str, str], IdClaim],
    standing: Mapping[tuple[str, str], IdClaim],
) -> pa.Table:
    """Return the facts, those that complete another delivery's claim named after it."""
    ids = [
        standing[claim.name].record_id
        if first[claim.name] is claim and not standing[claim.name].landed
        else claim.record_id
        for claim in made
    ]
    at = facts.schema.get_field_index(RECORD_ID)
    return facts.set_column(at, facts.schema.field(at), pa.array(ids, pa.string()))
