"""Errors of manifests, rebuilds and the blast radius."""

from __future__ import annotations

from vintner.errors import VintnerError


class ManifestInvalidError(VintnerError):
    """A manifest does not say what it must, or says what it cannot mean."""

    template = "manifest {manifest!r}: {field} {problem}; {remedy}"


class PinnedRowsChangedError(VintnerError, ValueError):
    """The rows a manifest points to are not those it was made from."""

    template = (
        "manifest {manifest!r}: {uri} holds {found_rows} rows with digest {found}, and {rows} rows with digest "
        "{expected} were pinned; bring back the file as it was"
    )


class RebuildDiffersError(VintnerError):
    """A table that was made again from its manifest is not what was pinned."""

    template = (
        "manifest {manifest!r}: column {column!r} differs from what was pinned, first in {rows}: {difference}; look "
        "whether the code is still {code_version} and the store keeps the pinned revision"
    )


class NotRebuildableError(VintnerError, LookupError):
    """Something a manifest names is not at hand: a dataset, another manifest, or what derives a column."""

    template = "manifest {manifest!r} needs {what} {name!r}, which was not given; {remedy}"


class ManifestCycleError(VintnerError, ValueError):
    """Manifests derive from each other in a circle."""

    template = "manifests derive from each other: {circle}; break the circle"
