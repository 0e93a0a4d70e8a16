"""What PyIceberg works out anew for each manifest it opens is worked out once for each kind of manifest.

A schema follows from its text, and a reader from two schemas and what its structs become; neither is ever changed.
Half the time of a test on a lake in memory goes into them otherwise.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from pyiceberg.avro import file
from pyiceberg.avro.resolver import resolve_reader
from pyiceberg.utils.schema_conversion import AvroSchemaConversion


@cache
def _schema(text: str) -> Any:
    return AvroSchemaConversion().avro_to_iceberg(json.loads(text))


_READERS: dict[Any, Any] = {}


def _reader(file_schema: Any, read_schema: Any, read_types: dict[int, Any], read_enums: dict[int, Any]) -> Any:
    kinds = (tuple(read_types.items()), tuple(read_enums.items()))
    known = _READERS.get((id(file_schema), id(read_schema), kinds))
    if known is None:
        # The schemas are kept with it: while they are, nothing else has their identity.
        known = (resolve_reader(file_schema, read_schema, *map(dict, kinds)), file_schema, read_schema)
        _READERS[id(file_schema), id(read_schema), kinds] = known
    return known[0]


def remember_schemas() -> None:
    """Make PyIceberg remember, in this process."""
    setattr(file.AvroFileHeader, "get_schema", lambda header: _schema(header.meta["avro.schema"]))  # noqa: B010
    setattr(file, "resolve_reader", _reader)  # noqa: B010
