"""Orders and fills, counted: each id stands for one content and is in the lake once, whatever happens on the way."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from decimal import Decimal
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.faults import KINDS, SWITCH, Switchboard
from tests.support.landing import NOW, SECOND, LandedLake, delivery, landed_lake, until_landed
from vintner.datasets import DATASETS
from vintner.execution import IdClaim, LedgerLander, MemoryClaimStore, restore_claims
from vintner.execution.ledger import BEFORE_ORDER, CLAIMED
from vintner.messaging.records import Fill, Order, Side
from vintner.messaging.streams import FILLS as FILLS_STREAM
from vintner.messaging.streams import ORDERS as ORDERS_STREAM

ORDERS, FILLS = DATASETS["orders"], DATASETS["fills"]


class FaultyClaims(MemoryClaimStore):
    """Claims of which each write may fail as others do."""

    def claim(self, claims: Any) -> list[IdClaim]:
        return [self._written(super(FaultyClaims, self).claim, one)[0] for one in claims]

    def landed(self, claims: Any) -> None:
        for one in claims:
            self._written(super().landed, one)

    def _written(self, write: Callable[[Any], Any], one: IdClaim) -> Any:
        with SWITCH.write():
            return write([one])

    @property
    def unfinished(self) -> list[IdClaim]:
        return [claim for claim in self._claims.values() if not claim.landed]


@pytest.fixture(scope="module")
def lake() -> Iterator[LandedLake]:
    with landed_lake("orders", "fills") as lake:
        yield lake


def order(number: int = 0, state: int = 0, quantity: int = 1, **changes: Any) -> Order:
    made = Order(
        order_id=f"o-{number}",
        order_seq=state,
        signal_id=None,
        account="main",
        instrument="AAPL",
        side=Side.BUY,
        quantity=Decimal(quantity),
        limit_price=None,
        status="new",
        event_time=NOW - SECOND * (9 - state),
        knowledge_time=NOW - SECOND * (9 - state),
    )
    return replace(made, **changes)


def fill(number: int = 0, order_id: str = "o-0", **changes: Any) -> Fill:
    shared = {field.name: getattr(order(), field.name) for field in fields(Fill) if hasattr(order(), field.name)}
    given = {"fill_id": f"f-{number}", "venue": "XNAS", "price": Decimal(10), "fee": Decimal(0), "fee_currency": "USD"}
    return Fill(**(shared | given | {"order_id": order_id} | changes))


def land(lake: LandedLake, claims: MemoryClaimStore, deliveries: Any) -> Any:
    """What one invocation of a new process does."""
    return LedgerLander(ORDERS_STREAM, ORDERS, lake.store(), claims).land(deliveries)


orders = st.builds(
    order,
    st.integers(0, 1),
    st.integers(0, 2),
    st.sampled_from([1, 1, 1, 2]),
    event_time=st.sampled_from([NOW - SECOND, NOW - SECOND, NOW - 2 * SECOND]),
)
"""Few ids, so that they come again and again: mostly with the same content, sometimes with another, or other clocks."""
contents = st.lists(st.lists(orders, min_size=1, max_size=3), min_size=1, max_size=5)


def numbered(sent: list[list[Order]]) -> list[Any]:
    return [delivery(number, records, Order) for number, records in enumerate(sent, 1)]


def check(lake: LandedLake, claims: FaultyClaims, sent: list[list[Order]], *, in_order: bool = True) -> None:
    """Each id is in the lake once, with a content that was sent; every other content is in the quarantine, once."""
    rows = lake.rows(ORDERS)
    ids = [(row["order_id"], row["order_seq"]) for row in rows]
    places = {f"stream/0/{number}/{at}": one for number, part in enumerate(sent, 1) for at, one in enumerate(part)}
    assert sorted(ids) == sorted({(one.order_id, one.order_seq) for one in places.values()}), "lost or doubled"
    kept = {}
    for row in rows:
        said = {field.name: row[field.name] for field in fields(Order)}
        assert Order(**said) == places[row["record_id"]], "the row says what the record it names says"
        kept[row["order_id"], row["order_seq"]] = Order(**said)
    if in_order:
        first: dict[tuple[str, int], Order] = {}
        for one in places.values():
            first.setdefault((one.order_id, one.order_seq), one)
        assert kept == first
    refused = {f"stream/0/{row['sequence']}/{row['position']}": row["rule"] for row in lake.refused()}
    others = {place for place, one in places.items() if kept[one.order_id, one.order_seq] != one}
    assert refused == dict.fromkeys(others, CLAIMED)
    assert len(lake.refused()) == len(others)
    assert claims.unfinished == []


@settings(max_examples=15, deadline=None)
@given(sent=contents, data=st.data())
def test_an_id_stands_for_what_it_said_first(lake: LandedLake, sent: list[list[Order]], data: Any) -> None:
    lake.fresh()
    claims, deliveries = FaultyClaims(), numbered(sent)
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=2), label="cuts")), len(sent)]
    for start, end in itertools.pairwise(cuts):
        report = land(lake, claims, deliveries[start:end])
        counted = report.kept + report.redelivered + report.duplicates + sum(report.refused.values())
        assert counted == report.records
    again = data.draw(st.lists(st.sampled_from(deliveries), max_size=4), label="again")
    assert land(lake, claims, again).kept == 0
    check(lake, claims, sent)


@settings(max_examples=40, deadline=None)
@given(
    sent=contents, data=st.data(), kind=st.sampled_from(KINDS), at=st.lists(st.integers(1, 25), min_size=1, max_size=2)
)
def test_cut_off_anywhere_and_delivered_in_any_order_nothing_is_lost_or_doubled(
    lake: LandedLake, sent: list[list[Order]], data: Any, kind: str, at: list[int]
) -> None:
    """A delivery that was cut off comes again later, after others: duplicates of it may have completed its claims."""
    lake.fresh()
    claims, deliveries = FaultyClaims(), numbered(sent)
    order = data.draw(st.permutations(deliveries), label="order")
    for number, one in enumerate(order):
        SWITCH.arm(at[number] if number < len(at) else None, kind)
        with ended():
            land(lake, claims, [one])
        SWITCH.arm(None, kind)
    land(lake, claims, order)
    check(lake, claims, sent, in_order=False)


@contextmanager
def ended() -> Iterator[None]:
    """Let a process end as processes do here."""
    try:
        yield
    except BaseException as end:
        if type(end).__name__ not in ("Crash", "CommitUnknownError"):
            raise


@pytest.mark.parametrize("kind", KINDS)
def test_every_write_of_one_call_is_tried(lake: LandedLake, kind: str) -> None:
    """Walks the failure through every write there is: claims, files, the commit, the quarantine, the marks."""
    sent = [[order(0), order(0, 1)], [order(0), order(1), order(0, 1, 2)]]
    at, reached = 0, True
    while reached:
        at += 1
        lake.fresh()
        claims = FaultyClaims()
        _, reached = until_landed(partial(land, lake, claims, numbered(sent)), at, kind)
        check(lake, claims, sent)
    assert at > 3 + 5 + 5 + 3, "three claims, a commit of facts, one of refusals, three marks"


class Interrupting(Switchboard):
    """Lets another consumer run at one write of the first."""

    def __init__(self, at: int, other: Callable[[], object]) -> None:
        super().__init__()
        self.at, self.other, self.seen = at, other, 0

    @contextmanager
    def write(self, *, commit: bool = False) -> Iterator[None]:
        self.seen += 1
        if self.seen == self.at:
            self.other()
        yield


def test_of_two_consumers_at_once_one_keeps_and_neither_doubles(lake: LandedLake) -> None:
    """A second consumer does all its work at each write of the first, with the same ids and partly other contents."""
    mine, theirs = [order(0), order(0, 1), order(1)], [order(0), order(0, 1, 2), order(2)]
    at, seen = 0, 1
    while seen >= at:
        at += 1
        lake.fresh()
        claims = FaultyClaims()
        board = Interrupting(at, lambda claims=claims: land(lake, claims, [delivery(2, theirs, Order)]))  # type: ignore[misc]
        with patch("tests.support.faults.SWITCH", board), patch(f"{__name__}.SWITCH", board):
            land(lake, claims, [delivery(1, mine, Order)])
        seen = board.seen
        if seen < at:
            board.other()
        check(lake, claims, [mine, theirs], in_order=False)
    assert at > 10


def test_a_claim_whose_maker_died_is_completed_by_a_duplicate_under_its_name(lake: LandedLake) -> None:
    lake.fresh()
    claims = FaultyClaims()
    SWITCH.arm(2, "crash before")
    with ended():
        land(lake, claims, [delivery(1, [order(0)], Order)])
    SWITCH.arm(None, KINDS[0])
    assert [claim.record_id for claim in claims.unfinished] == ["stream/0/1/0"]
    report = land(lake, claims, [delivery(2, [order(0)], Order)])
    assert (report.kept, [row["record_id"] for row in lake.rows(ORDERS)]) == (1, ["stream/0/1/0"])
    assert claims.unfinished == []
    assert land(lake, claims, [delivery(1, [order(0)], Order)]).redelivered == 1
    assert land(lake, claims, [delivery(3, [order(0)], Order)]).duplicates == 1


def test_an_order_that_breaks_a_rule_claims_nothing(lake: LandedLake) -> None:
    lake.fresh()
    claims = MemoryClaimStore()
    bad = [order(0, -1), order(0, 0, 0), order(0, side="hold"), order(0, order_id="")]
    report = land(lake, claims, [delivery(1, bad, Order)])
    assert report.refused == {"below 0": 1, "not above 0": 1, "unknown value": 1, "missing or not text": 1}
    assert claims.seen({"orders#o-0", "orders#"}) == set()


def test_a_fill_whose_order_was_not_seen_is_kept_and_told(lake: LandedLake) -> None:
    lake.fresh()
    claims = MemoryClaimStore()
    ledger = LedgerLander(FILLS_STREAM, FILLS, lake.store(), claims)
    land(lake, claims, [delivery(1, [order(0)], Order)])
    report = ledger.land([delivery(1, [fill(0), fill(1), fill(2, "o-9")], Fill)])
    assert (report.kept, report.notes) == (3, {BEFORE_ORDER: 1})
    other = ledger.land([delivery(2, [fill(0, price=Decimal(11))], Fill)])
    assert (other.kept, other.refused) == (0, {CLAIMED: 1})


def test_claims_that_were_lost_are_made_again_from_the_lake(lake: LandedLake) -> None:
    lake.fresh()
    claims, again = FaultyClaims(), FaultyClaims()
    land(lake, claims, numbered([[order(0), order(0, 1)], [order(0, 1, 5)], [order(1)]]))
    from_lake = lake.table(ORDERS)
    assert restore_claims(ORDERS, from_lake, again) == 3
    assert again._claims == claims._claims
    assert restore_claims(ORDERS, from_lake, again) == 3
    assert land(lake, again, numbered([[order(0)], [order(0, 1, 5)]])).refused == {CLAIMED: 1}
