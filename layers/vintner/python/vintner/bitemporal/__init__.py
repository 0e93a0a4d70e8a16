"""Facts with three clocks, and reads of them at a point in time."""

from vintner.bitemporal.audit import audit_cells, audit_leaks
from vintner.bitemporal.content import content_hash
from vintner.bitemporal.errors import (
    FactSourceError,
    FactTableError,
    NegativeSpanError,
    SpineTableError,
    VersionConflictError,
)
from vintner.bitemporal.findings import FINDING_FIELDS, LeakReport
from vintner.bitemporal.join import as_of_join
from vintner.bitemporal.kernel import KernelMissingError
from vintner.bitemporal.model import (
    CLOCKS,
    ENTITY,
    ENTITY_FIELD,
    EVENT_TIME,
    INGESTED_AT,
    INSTANT,
    KNOWLEDGE_TIME,
    OP,
    REVISION_SEQ,
    SYSTEM_FIELDS,
    VERSION_KEY,
    NaiveTimeError,
    Operation,
    fact_schema,
    utc,
    version_key,
)
from vintner.bitemporal.reads import as_of, exact, history, next_event, vintage
from vintner.bitemporal.source import FactSource
from vintner.bitemporal.spill import as_of_join_streamed
from vintner.bitemporal.spine import TIME
from vintner.bitemporal.windows import trailing

__all__ = [
    "CLOCKS",
    "ENTITY",
    "ENTITY_FIELD",
    "EVENT_TIME",
    "FINDING_FIELDS",
    "INGESTED_AT",
    "INSTANT",
    "KNOWLEDGE_TIME",
    "OP",
    "REVISION_SEQ",
    "SYSTEM_FIELDS",
    "TIME",
    "VERSION_KEY",
    "FactSource",
    "FactSourceError",
    "FactTableError",
    "KernelMissingError",
    "LeakReport",
    "NaiveTimeError",
    "NegativeSpanError",
    "Operation",
    "SpineTableError",
    "VersionConflictError",
    "as_of",
    "as_of_join",
    "as_of_join_streamed",
    "audit_cells",
    "audit_leaks",
    "content_hash",
    "exact",
    "fact_schema",
    "history",
    "next_event",
    "trailing",
    "utc",
    "version_key",
    "vintage",
]
