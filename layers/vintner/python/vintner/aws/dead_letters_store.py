"""Dead letters in a DynamoDB table with the string keys ``pk`` and ``sk``.

=====================  ==============================  =======================================================
pk                     sk                              what
=====================  ==============================  =======================================================
``letter#<id>``        ``letter``                      the letter, and its version
``letter#<id>``        ``history#<version>``           one step of it
``letter#<id>``        ``payload#<part>``              its payload, in parts an item can hold
``state#<state>``      ``<instant>#<id>``              the letter once more, sorted within its state
``cursor``             name                            how far something has been read
=====================  ==============================  =======================================================

A change is one transaction over the letter (on the condition that its version is the one before), its step, and its
place within its state: so lists are never behind, and no index of the table's own is needed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from vintner.messaging.deadletters.errors import LetterChangedError, LetterMissingError
from vintner.messaging.deadletters.model import (
    Letter,
    LetterState,
    Transition,
    instant_text,
    letter_of,
    letter_text,
    transition_of,
)
from vintner.messaging.deadletters.moves import Move
from vintner.messaging.deadletters.store import (
    DUE,
    ORDER,
    LetterFilter,
    LetterPage,
    Tally,
    mark_of,
    place_in_state,
    read_mark,
)

PART_CHARACTERS: Final = 90_000
"""Characters of a payload in one item: at most 360,000 bytes of the 400 KB an item may have."""

ATTEMPTS: Final = 5
"""How often a transaction is tried that met another on the same item."""

_BATCH: Final = 100
_CONDITION: Final = "ConditionalCheckFailed"
_LAST: Final = "~"

Item = dict[str, Any]


class DynamoLetterStore:
    """A :class:`~vintner.messaging.deadletters.store.LetterStore` in a DynamoDB table.

    It needs ``dynamodb:GetItem``, ``BatchGetItem``, ``Query``, ``PutItem`` and ``DeleteItem`` on the table; to read
    alone, the first three.

    Parameters
    ----------
    table_name
        The table.
    region
        Region of the table; by default the one the environment or the profile names.
    client
        A DynamoDB client to use instead of one made here.

    Examples
    --------
    >>> store = DynamoLetterStore("vintner-dev-letters")  # doctest: +SKIP
    >>> store.tally(LetterState.PARKED).count  # doctest: +SKIP
    3
    """

    def __init__(self, table_name: str, *, region: str | None = None, client: Any = None) -> None:
        self.table_name = table_name
        self._client = client if client is not None else _make_client(region)

    def add(self, move: Move, payload: str | None = None) -> bool:
        """See :meth:`LetterStore.add`."""
        writes = [self._put(item) for item in _payload_items(move.letter, payload)]
        writes += self._writes(move, condition="attribute_not_exists(pk)")
        return self._write(writes)

    def known(self, letters: Collection[str]) -> set[str]:
        """See :meth:`LetterStore.known`."""
        keys, found = [_letter_key(one) for one in dict.fromkeys(letters)], set[str]()
        for start in range(0, len(keys), _BATCH):
            waiting = keys[start : start + _BATCH]
            while waiting:
                request = {self.table_name: {"Keys": waiting, "ProjectionExpression": "pk", "ConsistentRead": True}}
                answer = self._client.batch_get_item(RequestItems=request)
                found |= {item["pk"]["S"].partition("#")[2] for item in answer["Responses"].get(self.table_name, ())}
                waiting = answer.get("UnprocessedKeys", {}).get(self.table_name, {}).get("Keys", [])
        return found

    def get(self, letter: str) -> Letter:
        """See :meth:`LetterStore.get`."""
        answer = self._client.get_item(TableName=self.table_name, Key=_letter_key(letter), ConsistentRead=True)
        if "Item" not in answer:
            raise LetterMissingError(letter=letter)
        return letter_of(answer["Item"]["doc"]["S"])

    def payload(self, letter: str) -> str | None:
        """See :meth:`LetterStore.payload`."""
        parts = [item["text"]["S"] for item in self._items(f"letter#{letter}", "begins_with(sk, :a)", "payload#")]
        return "".join(parts) if parts else None

    def history(self, letter: str) -> list[Transition]:
        """See :meth:`LetterStore.history`."""
        found = self._items(f"letter#{letter}", "begins_with(sk, :a)", "history#")
        return [transition_of(item["doc"]["S"]) for item in found]

    def save(self, move: Move) -> None:
        """See :meth:`LetterStore.save`."""
        letter = move.letter
        try:
            present = self.get(letter.id)
        except LetterMissingError as cause:
            raise LetterChangedError(letter=letter.id) from cause
        if present.version != letter.version - 1:
            raise LetterChangedError(letter=letter.id)
        writes = self._writes(move, condition="version = :before")
        if _state_key(present) != _state_key(letter):
            writes.append({"Delete": {"TableName": self.table_name, "Key": _state_key(present)}})
        if not self._write(writes):
            raise LetterChangedError(letter=letter.id)

    def due(self, now: datetime, limit: int) -> list[Letter]:
        """See :meth:`LetterStore.due`."""
        until = f"{instant_text(now)}#{_LAST}"
        found: list[Letter] = []
        for state in DUE:
            items = self._items(f"state#{state.value}", "sk <= :a", until, limit=limit)
            found += [letter_of(item["doc"]["S"]) for item in items]
        return found

    def page(self, wanted: LetterFilter, *, limit: int, after: str | None = None) -> LetterPage:
        """See :meth:`LetterStore.page`."""
        states = ORDER if wanted.state is None else (wanted.state,)
        begin, place = (states[0], "") if after is None else read_mark(after, states)
        found: list[Letter] = []
        for state in states[states.index(begin) :]:
            start = place if state is begin else ""
            for item in self._items(f"state#{state.value}", "sk > :a", start or "#"):
                letter = letter_of(item["doc"]["S"])
                if not wanted.matches(letter):
                    continue
                if len(found) == limit:
                    return LetterPage(tuple(found), mark_of(found[-1]))
                found.append(letter)
        return LetterPage(tuple(found), None)

    def tally(self, state: LetterState) -> Tally:
        """See :meth:`LetterStore.tally`."""
        first = list(self._items(f"state#{state.value}", "sk > :a", "#", limit=1))
        if not first:
            return Tally(0, None)
        pages = self._pages(f"state#{state.value}", "sk > :a", "#", Select="COUNT")
        return Tally(sum(page["Count"] for page in pages), letter_of(first[0]["doc"]["S"]).since)

    def cursor(self, name: str) -> str | None:
        """See :meth:`LetterStore.cursor`."""
        key = {"pk": {"S": "cursor"}, "sk": {"S": name}}
        answer = self._client.get_item(TableName=self.table_name, Key=key, ConsistentRead=True)
        return str(answer["Item"]["at"]["S"]) if "Item" in answer else None

    def move_cursor(self, name: str, to: str) -> None:
        """See :meth:`LetterStore.move_cursor`."""
        item = {"pk": {"S": "cursor"}, "sk": {"S": name}, "at": {"S": to}}
        self._client.put_item(TableName=self.table_name, Item=item)

    def _writes(self, move: Move, *, condition: str) -> list[Item]:
        letter = move.letter
        doc, version = {"S": letter_text(letter)}, {"N": str(letter.version)}
        kept = self._put(_letter_key(letter.id) | {"doc": doc, "version": version})
        kept["Put"]["ConditionExpression"] = condition
        if ":before" in condition:
            kept["Put"]["ExpressionAttributeValues"] = {":before": {"N": str(letter.version - 1)}}
        step = {"pk": {"S": f"letter#{letter.id}"}, "sk": {"S": f"history#{letter.version:08d}"}}
        told = self._put(step | {"doc": {"S": letter_text(move.transition)}})
        return [kept, told, self._put(_state_key(letter) | {"doc": doc})]

    def _put(self, item: Item) -> Item:
        return {"Put": {"TableName": self.table_name, "Item": item}}

    def _write(self, writes: list[Item]) -> bool:
        """Write all or nothing; return False where a condition does not hold."""
        for attempt in range(ATTEMPTS):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if error.response["Error"]["Code"] != "TransactionCanceledException":
                    raise
                if any(one.get("Code") == _CONDITION for one in error.response.get("CancellationReasons", ())):
                    return False
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return True
        return False

    def _items(self, key: str, condition: str, bound: str, *, limit: int | None = None) -> Iterator[Item]:
        left = limit
        for page in self._pages(key, condition, bound, **({} if limit is None else {"Limit": limit})):
            items = page["Items"] if left is None else page["Items"][:left]
            yield from items
            if left is not None:
                left -= len(items)
                if left <= 0:
                    return

    def _pages(self, key: str, condition: str, bound: str, **more: Any) -> Iterator[Item]:
        request = {
            "TableName": self.table_name,
            "KeyConditionExpression": f"pk = :pk AND {condition}",
            "ExpressionAttributeValues": {":pk": {"S": key}, ":a": {"S": bound}},
            "ConsistentRead": True,
            **more,
        }
        while True:
            answer = self._client.query(**request)
            yield answer
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _letter_key(letter: str) -> Item:
    return {"pk": {"S": f"letter#{letter}"}, "sk": {"S": "letter"}}


def _state_key(letter: Letter) -> Item:
    return {"pk": {"S": f"state#{letter.state.value}"}, "sk": {"S": place_in_state(letter)}}


def _payload_items(letter: Letter, payload: str | None) -> Iterator[Item]:
    for part, start in enumerate(range(0, len(payload or ""), PART_CHARACTERS)):
        key = {"pk": {"S": f"letter#{letter.id}"}, "sk": {"S": f"payload#{part:04d}"}}
        yield key | {"text": {"S": (payload or "")[start : start + PART_CHARACTERS]}}


def _make_client(region: str | None) -> Any:
    retries: Any = {"mode": "standard", "total_max_attempts": 5}
    return boto3.client(
        "dynamodb", region_name=region, config=Config(retries=retries, connect_timeout=2, read_timeout=5)
    )
