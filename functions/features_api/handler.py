"""The features API: features online and as of any time, series by vintage, facts by version.

Each route reads its parameters, calls one function of the library and writes the answer down; errors become problem
documents in one place. The clock is read here and nowhere below.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Final, Self

import pyarrow as pa
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from pydantic import BeforeValidator, Field, model_validator

from vintner.aws.api import (
    Entity,
    Instant,
    Operation,
    Parameters,
    Revision,
    Revisions,
    answered,
    api_handler,
    broken_rule,
    cell,
    from_body,
    from_query,
    table_document,
)
from vintner.aws.catalog import open_catalog
from vintner.aws.online import DynamoOnlineStore
from vintner.aws.settings import Settings
from vintner.bitemporal.model import INSTANT
from vintner.datasets import find_series
from vintner.features import (
    OnlineStore,
    fact_history,
    feature_table,
    find_view,
    online_features,
    series_as_known,
)
from vintner.lake import FactReader, LakeReader, PinnedReader
from vintner.lake import Revision as Pin

MAX_SPINE_ROWS: Final = 10_000
"""Most rows one as-of request may ask for; a longer spine is asked in parts."""

MAX_ONLINE_ENTITIES: Final = 100
"""Most entities one online request may name."""

app = APIGatewayHttpResolver()


def _at_most(value: object) -> object:
    if isinstance(value, list) and len(value) > MAX_SPINE_ROWS:
        rule = f"has {len(value)} rows of at most {MAX_SPINE_ROWS}"
        raise broken_rule(rule, "ask in several requests", too_large=True)
    return value


class OnlineQuery(Parameters):
    """Query of an online read: each entity wanted is named by a parameter of its own."""

    entity: list[Entity] = Field(min_length=1, max_length=MAX_ONLINE_ENTITIES)


class SpineRow(Parameters):
    """One answer wanted: an entity and the time of the decision."""

    entity: Entity
    time: Instant


class AsOfBody(Parameters):
    """Body of an as-of read."""

    rows: Annotated[list[SpineRow], BeforeValidator(_at_most), Field(json_schema_extra={"maxItems": MAX_SPINE_ROWS})]
    known_at: Instant | None = None
    system_at: Instant | None = None
    revisions: Revisions | None = None

    @property
    def spine(self) -> pa.Table:
        """The rows as a spine."""
        times = pa.array([row.time for row in self.rows], INSTANT)
        return pa.table({"entity": pa.array([row.entity for row in self.rows], pa.string()), "time": times})


class VintageQuery(Parameters):
    """Query of a vintage: events in ``[from, to)`` as they were known."""

    entity: Entity
    known_at: Instant
    system_at: Instant | None = None
    revision: Revision | None = None
    start: Instant | None = Field(default=None, alias="from")
    end: Instant | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise broken_rule("is before from", "give a later time, or leave one of them out", parameter="to")
        return self


class HistoryQuery(Parameters):
    """Query of all versions of one fact."""

    entity: Entity
    event_time: Instant
    known_at: Instant | None = None
    system_at: Instant | None = None
    revision: Revision | None = None


@cache
def settings() -> Settings:
    """Where this deployment keeps its things."""
    return Settings.from_environment()


@cache
def reader() -> FactReader:
    """The lake."""
    return LakeReader(open_catalog(settings()), settings().glue_database)


def reader_at(revisions: Mapping[str, Pin] | Pin | None) -> FactReader:
    """The lake, or the lake as it was at revisions."""
    return reader() if revisions is None else PinnedReader(reader(), revisions)


@cache
def store() -> OnlineStore:
    """The online store."""
    return DynamoOnlineStore(settings().online_table, region=settings().region)


def clock() -> datetime:
    """The present, read once per request."""
    return datetime.now(UTC)


@app.get("/v1/features/<view>/online")
def online(view: str) -> Response[str]:
    """Answer with the features of entities now."""
    query, now, declared = from_query(OnlineQuery, app.current_event), clock(), find_view(view)
    found = online_features(declared, query.entity, store(), now=now)
    columns = ["entity", *(feature.name for feature in declared.features)]
    rows = [[entity, *map(cell, row.values())] for entity, row in zip(query.entity, found, strict=True)]
    return answered({"view": view, "time": cell(now), "columns": columns, "rows": rows})


@app.post("/v1/features/<view>/as-of")
def as_of(view: str) -> Response[str]:
    """Answer with the features that were known at each row's time."""
    body = from_body(AsOfBody, app.current_event.decoded_body)
    lake = reader_at(body.revisions)
    table = feature_table(find_view(view), body.spine, lake, known_at=body.known_at, system_at=body.system_at)
    return answered(table_document(table))


@app.get("/v1/datasets/<dataset>/vintage")
def vintage(dataset: str) -> Response[str]:
    """Answer with a whole series as it was known."""
    query = from_query(VintageQuery, app.current_event)
    table = series_as_known(
        find_series(dataset),
        query.entity,
        reader_at(query.revision),
        known_at=query.known_at,
        system_at=query.system_at,
        start=query.start,
        end=query.end,
    )
    return answered(table_document(table))


@app.get("/v1/datasets/<dataset>/history")
def history(dataset: str) -> Response[str]:
    """Answer with every version of one fact."""
    query = from_query(HistoryQuery, app.current_event)
    table = fact_history(
        find_series(dataset),
        query.entity,
        query.event_time,
        reader_at(query.revision),
        known_at=query.known_at,
        system_at=query.system_at,
    )
    return answered(table_document(table))


@app.get("/v1/health")
def health() -> Response[str]:
    """Answer that the API is there and configured."""
    return answered({"status": "ok", "environment": settings().environment})


handler = api_handler(app)


_CELLS: Final = {
    "columns": {"type": "array", "items": {"type": "string"}},
    "rows": {"type": "array", "items": {"type": "array"}},
}
_TABLE: Final = {"type": "object", "required": ["columns", "rows"], "properties": _CELLS}
_NOT_VALID: Final = {400: "A parameter is missing, unknown or not valid"}
_LARGE: Final = {413: "More than one answer can hold"}
_NO_VIEW: Final = {404: "No such feature view"} | _NOT_VALID
_GONE: Final = {410: "The revision is no longer kept"}
_NO_DATASET: Final = {404: "No such dataset, or no such revision"} | _GONE | _NOT_VALID | _LARGE

OPERATIONS: Final = (
    Operation(
        name="online",
        method="GET",
        path="/v1/features/{view}/online",
        summary="Features of entities now",
        query=OnlineQuery,
        answer={
            "type": "object",
            "required": ["view", "time", "columns", "rows"],
            "properties": {
                "view": {"type": "string"},
                "time": {"type": "string", "format": "date-time"},
                **_CELLS,
            },
        },
        problems=_NO_VIEW,
    ),
    Operation(
        name="as_of",
        method="POST",
        path="/v1/features/{view}/as-of",
        summary="Features as they were known at each row's time",
        body=AsOfBody,
        answer=_TABLE,
        problems={404: "No such feature view, or no such revision"} | _GONE | _NOT_VALID | _LARGE,
    ),
    Operation(
        name="vintage",
        method="GET",
        path="/v1/datasets/{dataset}/vintage",
        summary="A whole series as it was known",
        query=VintageQuery,
        answer=_TABLE,
        problems=_NO_DATASET,
    ),
    Operation(
        name="history",
        method="GET",
        path="/v1/datasets/{dataset}/history",
        summary="Every version of one fact",
        query=HistoryQuery,
        answer=_TABLE,
        problems=_NO_DATASET,
    ),
    Operation(
        name="health",
        method="GET",
        path="/v1/health",
        summary="Whether the API is there and configured",
        answer={
            "type": "object",
            "required": ["status", "environment"],
            "properties": {"status": {"const": "ok"}, "environment": {"type": "string"}},
        },
    ),
)
