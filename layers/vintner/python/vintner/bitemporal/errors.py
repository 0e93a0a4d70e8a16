"""What can be wrong with facts, spines and sources; each message says what to do."""

from __future__ import annotations

from vintner.errors import VintnerError


class FactTableError(VintnerError, ValueError):
    """A table given as facts does not have the columns of a fact table."""

    template = "fact column {column!r} {problem}; {remedy}"

    def __init__(self, *, column: str, problem: str, remedy: str = "build the table with fact_schema(...)") -> None:
        super().__init__(column=column, problem=problem, remedy=remedy)


class SpineTableError(VintnerError, ValueError):
    """A spine, or a table to audit, cannot be joined."""

    template = "spine column {column!r} {problem}; {remedy}"


class FactSourceError(VintnerError, ValueError):
    """A source asks for a column its facts lack, or names one twice."""

    template = "source column {column!r} {problem}; {remedy}"


class NegativeSpanError(VintnerError, ValueError):
    """A ttl or a delay is below zero; a negative delay would look ahead."""

    template = "{field} is {value}; give zero or a positive timedelta"


class VersionConflictError(VintnerError, ValueError):
    """Two rows have one version key and say different things."""

    template = (
        "entity {entity!r}, event_time {event_time}, knowledge_time {knowledge_time}, revision_seq {revision_seq} "
        "is stated twice with different {column!r}; state the correction as a new version, with a later "
        "knowledge_time or a larger revision_seq"
    )
