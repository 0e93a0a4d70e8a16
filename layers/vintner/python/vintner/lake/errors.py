"""Errors of the lake: what was refused, what failed, and what is not known to have failed."""

from vintner.errors import VintnerError


class TableMissingError(VintnerError, LookupError):
    """A declared table is not in the catalog."""

    template = "table {table} is not in the catalog; create it with `python -m vintner.aws migrate`"


class DeclarationError(VintnerError, ValueError):
    """A dataset is declared in a way that no table can be made of."""

    template = "dataset {dataset}: {column} {problem}; declare it otherwise"


class SchemaChangeError(VintnerError):
    """A declared schema cannot be reached from the table's present one without losing or reinterpreting data."""

    template = "table {table}: column {column} is {present} and is declared {declared}; {remedy}"


class CommitRefusedError(VintnerError):
    """Every attempt lost to another writer. Nothing was written; the whole batch may be retried."""

    template = "table {table}: {attempts} attempts to commit lost to other writers; nothing was written, try again"


class CommitUnknownError(VintnerError):
    """The outcome of a commit is not known. Retrying is safe: what did land is recognised by its version keys."""

    template = "table {table}: it is not known whether snapshot {snapshot_id} landed ({cause}); send the batch again"


class FactError(VintnerError, ValueError):
    """One record breaks a rule of its dataset."""

    template = "{field}: {rule}; {remedy}"


class NoMetadataError(VintnerError, LookupError):
    """No Iceberg metadata was found where a table should be."""

    template = "table {table}: no *.metadata.json under {location}; nothing to register"


class UnknownRevisionError(VintnerError, LookupError):
    """A read is pinned to a revision that the table never had."""

    template = "table {table} has no revision {revision}; it has {known}"


class ExpiredRevisionError(VintnerError, LookupError):
    """A read is pinned to a state of the table whose snapshot has been expired."""

    template = (
        "table {table}: the snapshot of {revision} has been expired, the oldest left is of {oldest}; "
        "read at a tagged revision, or cut by ingested_to, which outlives snapshots"
    )
