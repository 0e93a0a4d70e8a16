"""Manifests of tables, tables made again from them, and the blast radius of a restatement."""

from vintner.features.provenance.build import Derive, Workshop, read_rows
from vintner.features.provenance.errors import (
    ManifestCycleError,
    ManifestInvalidError,
    NotRebuildableError,
    PinnedRowsChangedError,
    RebuildDiffersError,
)
from vintner.features.provenance.model import (
    DerivedColumn,
    InlineRows,
    Input,
    Manifest,
    PinnedColumn,
    PinnedResult,
    PinnedSource,
    StoredRows,
)
from vintner.features.provenance.radius import blast_radius
from vintner.features.provenance.rebuild import manifest_of, pinned_sources, rebuild
from vintner.features.provenance.report import CHANGE_FIELDS, COUNT_FIELDS, BlastRadius
from vintner.features.provenance.restatement import Move, Restatement, restatement_between

__all__ = [
    "CHANGE_FIELDS",
    "COUNT_FIELDS",
    "BlastRadius",
    "Derive",
    "DerivedColumn",
    "InlineRows",
    "Input",
    "Manifest",
    "ManifestCycleError",
    "ManifestInvalidError",
    "Move",
    "NotRebuildableError",
    "PinnedColumn",
    "PinnedResult",
    "PinnedRowsChangedError",
    "PinnedSource",
    "RebuildDiffersError",
    "Restatement",
    "StoredRows",
    "Workshop",
    "blast_radius",
    "manifest_of",
    "pinned_sources",
    "read_rows",
    "rebuild",
    "restatement_between",
]
