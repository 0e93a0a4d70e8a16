"""What the record types were when they were released: kept in a file, added to by a command, never changed.

    python -m tests.contract.record_schemas

A consumer reads what a producer of any released version sent. So a version that is released stays what it was, field
by field, and a new one may only add fields, at the end, that may be null.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from vintner.messaging.records import fingerprint, name_of, schema_at, version_of
from vintner.messaging.streams import STREAMS

PATH: Final = Path(__file__).with_name("record_schemas.json")
COMMAND: Final = "python -m tests.contract.record_schemas"

Released = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Record name -> version -> fingerprint and fields."""


def kinds() -> tuple[type[Any], ...]:
    """The record types that streams carry."""
    return tuple(dict.fromkeys(stream.record for stream in STREAMS.values()))


def released() -> Released:
    """What was released."""
    content: Released = json.loads(PATH.read_text(encoding="utf-8"))
    return content


def described(kind: type[Any], version: int) -> dict[str, Any]:
    """A version of a record type as the file has it."""
    fields = [
        {"name": field.name, "type": str(field.type), "nullable": field.nullable} for field in schema_at(kind, version)
    ]
    return {"fingerprint": f"{fingerprint(kind, version):08x}", "fields": fields}


def declared(types: Iterable[type[Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Every version of record types, as they are declared now."""
    return {
        name_of(kind): {str(version): described(kind, version) for version in range(1, version_of(kind) + 1)}
        for kind in types
    }


def violations(before: Released, types: Iterable[type[Any]]) -> list[str]:
    """Every way in which what is declared breaks what was released, one sentence each."""
    now = declared(types)
    return [*_gone(before, now), *_changed(before, now), *_unreleased(before, now), *_steps(now)]


def _gone(before: Released, now: Released) -> Iterator[str]:
    for name, versions in before.items():
        lost = [version for version in versions if version not in now.get(name, {})]
        if lost:
            yield f"{name}: version {', '.join(lost)} was released and is not declared any more: declare it again"


def _changed(before: Released, now: Released) -> Iterator[str]:
    for name, versions in before.items():
        for version, content in versions.items():
            found = now.get(name, {}).get(version)
            if found is not None and found != content:
                yield f"{name}: version {version} was released and is another now: put it back, add to a new version"


def _unreleased(before: Released, now: Released) -> Iterator[str]:
    for name, versions in now.items():
        for version in versions:
            if version not in before.get(name, {}):
                yield f"{name}: version {version} is not released: run `{COMMAND}`"


def _steps(now: Released) -> Iterator[str]:
    """Steps from a version to the next; a type cannot be declared with most of these, a file can hold them."""
    for name, versions in now.items():
        for (number, old), (_, new) in pairwise(sorted(versions.items(), key=lambda item: int(item[0]))):
            added = new["fields"][len(old["fields"]) :]
            if new["fields"][: len(old["fields"])] != old["fields"]:
                yield f"{name}: the version after {number} does not begin with its fields: add at the end"
            for field in added:
                if not field["nullable"]:
                    yield f"{name}: {field['name']} comes after version {number} and may not be null: let it be null"


def main() -> None:
    """Release what is declared and was not; refuse where something released would change."""
    before = released() if PATH.exists() else {}
    broken = [line for line in violations(before, kinds()) if "is not released" not in line]
    if broken:
        raise SystemExit("\n".join(broken))
    PATH.write_text(json.dumps(declared(kinds()), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
