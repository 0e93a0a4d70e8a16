"""What every store of claims must do. A subclass says how to make one, and inherits the tests."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import pytest

from vintner.execution import ClaimStore, IdClaim

SAID: Final[Mapping[str, Any]] = {"content": "aa", "record_id": "orders/0/1/0"}


class ClaimStoreContract:
    """The behaviour suite of :class:`vintner.execution.ClaimStore`."""

    @pytest.fixture
    def store(self) -> ClaimStore:
        pytest.fail("a subclass names the store it tries")

    @pytest.fixture
    def claim(self) -> IdClaim:
        """A claim that nobody has made."""
        return IdClaim(subject="orders#o-1#ø", part="0" * 18 + "1", **SAID)

    def test_the_first_claim_stands(self, store: ClaimStore, claim: IdClaim) -> None:
        assert store.claim([claim]) == [claim]
        other = replace(claim, content="bb", record_id="orders/0/9/0")
        assert store.claim([other]) == [claim]
        assert store.claim([claim]) == [claim], "claimed again by whoever claimed it"

    def test_claims_of_one_call_are_answered_one_by_one(self, store: ClaimStore, claim: IdClaim) -> None:
        store.claim([claim])
        others = [replace(claim, part=f"{number:019d}", content=f"c{number}") for number in range(2, 40)]
        contested = replace(claim, content="bb")
        assert store.claim([*others[:20], contested, *others[20:]]) == [*others[:20], claim, *others[20:]]

    def test_no_claims_are_no_answers(self, store: ClaimStore) -> None:
        assert (store.claim([]), store.seen([])) == ([], set())
        store.landed([])

    def test_what_is_in_the_lake_is_marked(self, store: ClaimStore, claim: IdClaim) -> None:
        store.claim([claim])
        store.landed([claim])
        store.landed([claim])
        assert store.claim([replace(claim, record_id="orders/0/9/0")]) == [replace(claim, landed=True)]

    def test_a_mark_never_makes_or_changes_a_claim(self, store: ClaimStore, claim: IdClaim) -> None:
        store.landed([claim])
        assert store.seen([claim.subject]) == set()
        store.claim([claim])
        store.landed([replace(claim, content="bb")])
        assert store.claim([claim]) == [claim]

    def test_a_claim_may_be_made_for_what_is_in_the_lake_already(self, store: ClaimStore, claim: IdClaim) -> None:
        held = replace(claim, landed=True)
        assert store.claim([held]) == [held]
        assert store.claim([claim]) == [held]

    def test_subjects_and_parts_do_not_meet(self, store: ClaimStore, claim: IdClaim) -> None:
        store.claim([claim])
        near = [
            replace(claim, part="-"),
            replace(claim, subject=f"{claim.subject}#"),
            replace(claim, subject="orders#"),
        ]
        assert store.claim(near) == near

    def test_a_subject_is_seen_once_any_part_of_it_is_claimed(self, store: ClaimStore, claim: IdClaim) -> None:
        store.claim([claim, replace(claim, part="-")])
        assert store.seen({claim.subject, "orders#other"}) == {claim.subject}

    def test_of_many_at_once_one_stands_and_all_are_told_which(self, store: ClaimStore, claim: IdClaim) -> None:
        rivals = [replace(claim, content=f"c{number}", record_id=f"orders/0/{number}/0") for number in range(12)]
        with ThreadPoolExecutor(max_workers=4) as pool:
            told = list(pool.map(lambda rival: store.claim([rival])[0], rivals))
        assert len(set(told)) == 1
        assert told[0] in rivals
