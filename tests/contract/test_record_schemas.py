"""Schemas of records evolve, and never break a reader: held to by a file of what was released."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import pyarrow as pa
import pytest

from tests.contract import record_schemas
from tests.contract.record_schemas import declared, kinds, released, violations
from vintner.messaging.errors import RecordTypeError
from vintner.messaging.records import Doc, record


def _tick(version: int, fields: dict[str, Any], *, name: str = "tick") -> type[Any]:
    made = type(name.title(), (), {"__annotations__": fields, **dict.fromkeys(fields), "__doc__": "A tick."})
    return record(name, version=version)(dataclass(frozen=True, kw_only=True)(made))


SYMBOL = Annotated[str, Doc("Symbol.")]
AT = Annotated[datetime, Doc("When.")]
LOTS = Annotated[int | None, Doc("Lots.", since=2)]
FIRST = _tick(1, {"symbol": SYMBOL, "at": AT})
SECOND = _tick(2, {"symbol": SYMBOL, "at": AT, "lots": LOTS})


def test_what_is_declared_keeps_what_was_released():
    assert violations(released(), kinds()) == []


def test_every_record_of_a_stream_is_released():
    assert set(released()) == {"bar", "feature_value", "feature_vector", "fill", "order", "quote", "signal", "trade"}


def test_adding_a_field_that_may_be_null_is_a_new_version_and_no_violation():
    after = declared([SECOND])
    assert after["tick"]["1"] == declared([FIRST])["tick"]["1"]
    assert violations(after, [SECOND]) == []
    assert violations(declared([FIRST]), [SECOND]) == [
        "tick: version 2 is not released: run `python -m tests.contract.record_schemas`"
    ]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"symbol": SYMBOL}, "a field is dropped"),
        ({"at": AT, "symbol": SYMBOL}, "fields change places"),
        ({"symbol": SYMBOL, "when": AT}, "a field is renamed"),
        ({"symbol": SYMBOL, "at": Annotated[int, Doc("When.")]}, "a field changes its type"),
        ({"symbol": Annotated[str | None, Doc("Symbol.")], "at": AT}, "a field may be null now"),
        ({"symbol": SYMBOL, "at": AT, "lots": Annotated[int | None, Doc("Lots.")]}, "a field is added to a version"),
        ({"symbol": Annotated[str, Doc("Symbol.", arrow=pa.large_string())], "at": AT}, "a field is stored otherwise"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_a_released_version_that_changes_is_found(fields: dict[str, Any], why: str):
    found = violations(declared([FIRST]), [_tick(1, fields)])
    assert found == ["tick: version 1 was released and is another now: put it back, add to a new version"], why


def test_what_a_field_means_may_be_said_better():
    assert violations(declared([FIRST]), [_tick(1, {"symbol": Annotated[str, Doc("Its symbol.")], "at": AT})]) == []


def test_a_record_or_a_version_that_is_gone_is_found():
    other = _tick(1, {"symbol": SYMBOL}, name="tock")
    gone = "tick: version 1 was released and is not declared any more: declare it again"
    assert gone in violations(declared([FIRST]), [other])
    assert violations(declared([SECOND]), [FIRST]) == [gone.replace("version 1", "version 2")]


def test_a_type_with_a_late_field_that_may_not_be_null_cannot_even_be_declared():
    with pytest.raises(RecordTypeError):
        _tick(2, {"symbol": SYMBOL, "lots": Annotated[int, Doc("Lots.", since=2)]})


@pytest.mark.parametrize(
    ("place", "change", "found"),
    [
        (-1, {"nullable": False}, "lots comes after version 1 and may not be null"),
        (0, {"name": "ticker"}, "the version after 1 does not begin with its fields"),
    ],
)
def test_a_step_that_breaks_readers_is_found(
    place: int, change: dict[str, Any], found: str, monkeypatch: pytest.MonkeyPatch
):
    planted = copy.deepcopy(declared([SECOND]))
    planted["tick"]["2"]["fields"][place].update(change)
    monkeypatch.setattr(record_schemas, "declared", lambda types: planted)
    [line] = violations(planted, [SECOND])
    assert found in line


def test_the_command_adds_and_never_changes(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(record_schemas, "PATH", tmp_path / "released.json")
    for known in ([FIRST], [SECOND]):
        monkeypatch.setattr(record_schemas, "kinds", lambda known=known: known)
        record_schemas.main()
        assert released() == declared(known)
    monkeypatch.setattr(record_schemas, "kinds", lambda: [_tick(1, {"symbol": SYMBOL})])
    with pytest.raises(SystemExit, match=re.escape("version 2 was released and is not declared any more")):
        record_schemas.main()
    assert released() == declared([SECOND])
