"""Claims on ids: what an order's state or a fill says is settled once, before it has any effect.

An id is claimed with a hash of what the record says and the place of the record that said it first. Whoever comes
later with the same id is told what stands. A claim is written on condition that there is none, by one atomic write to
one item: of two consumers at once, one claims and the other is told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import pyarrow as pa

from vintner.bitemporal.model import EVENT_TIME, KNOWLEDGE_TIME
from vintner.lake.model import RECORD_ID, Dataset

WHOLE: Final = "-"
"""The part of a subject that is one record."""

_DIGITS: Final = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class IdClaim:
    """What an id stands for.

    Parameters
    ----------
    subject
        What the id is about: dataset and first key, ``orders#o-17``.
    part
        Which record of the subject: the other keys, whole numbers so wide that they sort as numbers do.
    content
        SHA-256 of what the record says, in hexadecimal.
    record_id
        Place of the record that claimed it, ``stream/shard/sequence/position``.
    landed
        Whether the record is known to be in the lake.
    """

    subject: str
    part: str
    content: str
    record_id: str
    landed: bool = False

    @property
    def name(self) -> tuple[str, str]:
        """What no other claim of a store has."""
        return self.subject, self.part


class ClaimStore(Protocol):
    """Where claims are kept."""

    def claim(self, claims: Sequence[IdClaim]) -> list[IdClaim]:
        """Claim ids that nobody has claimed; return, for each, the claim that stands.

        Parameters
        ----------
        claims
            Claims with different names. Each is taken by itself: if some fail, others may have been taken.

        Raises
        ------
        Exception
            The store did not answer for one of them. Claiming all of them again is safe.
        """
        ...

    def landed(self, claims: Sequence[IdClaim]) -> None:
        """Note that the records of claims are in the lake. A claim that says something else is left as it is."""
        ...

    def seen(self, subjects: Collection[str]) -> set[str]:
        """Return the subjects of which anything has been claimed."""
        ...


class MemoryClaimStore:
    """Claims in a dictionary.

    Examples
    --------
    >>> store = MemoryClaimStore()
    >>> first = IdClaim(subject="fills#f-1", part=WHOLE, content="aa", record_id="fills/0/1/0")
    >>> other = IdClaim(subject="fills#f-1", part=WHOLE, content="bb", record_id="fills/0/2/0")
    >>> store.claim([first]) == [first], store.claim([other]) == [first], store.seen(["fills#f-1", "fills#f-2"])
    (True, True, {'fills#f-1'})
    """

    def __init__(self) -> None:
        self._claims: dict[tuple[str, str], IdClaim] = {}

    def claim(self, claims: Sequence[IdClaim]) -> list[IdClaim]:
        """Claim ids; see :meth:`ClaimStore.claim`."""
        return [self._claims.setdefault(claim.name, claim) for claim in claims]

    def landed(self, claims: Sequence[IdClaim]) -> None:
        """Note what is in the lake; see :meth:`ClaimStore.landed`."""
        for claim in claims:
            held = self._claims.get(claim.name)
            if held is not None and held.content == claim.content:
                self._claims[claim.name] = replace(held, landed=True)

    def seen(self, subjects: Collection[str]) -> set[str]:
        """Return the subjects claimed; see :meth:`ClaimStore.seen`."""
        return {subject for subject, _ in self._claims} & set(subjects)


def subject_of(dataset: Dataset, first_key: Any) -> str:
    """Return the subject of claims on records of a dataset with this first key.

    Examples
    --------
    >>> from vintner.execution.datasets import ORDERS
    >>> subject_of(ORDERS, "o-17")
    'orders#o-17'
    """
    return f"{dataset.name}#{first_key}"


def claims_of(dataset: Dataset, facts: pa.Table) -> list[IdClaim]:
    """Return the claim each row makes, from the row alone: what it says, not how or when it was delivered.

    Parameters
    ----------
    facts
        Rows of the dataset; values that are null are as if they were not there, so that a column that is added later
        changes no claim.
    """
    said = (*dataset.key_names, EVENT_TIME, KNOWLEDGE_TIME, *dataset.values.names)
    ids = facts[RECORD_ID].to_pylist()
    return [
        _claim(dataset, row, record_id)
        for row, record_id in zip(facts.select(list(said)).to_pylist(), ids, strict=True)
    ]


def _claim(dataset: Dataset, row: dict[str, Any], record_id: str) -> IdClaim:
    stated = {name: value for name, value in row.items() if value is not None}
    text = json.dumps(stated, sort_keys=True, separators=(",", ":"), default=_text)
    first, *others = (row[name] for name in dataset.key_names)
    return IdClaim(
        subject=subject_of(dataset, first),
        part="#".join(f"{other:0{_DIGITS}d}" for other in others) or WHOLE,
        content=hashlib.sha256(text.encode()).hexdigest(),
        record_id=record_id,
    )


def _text(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)
