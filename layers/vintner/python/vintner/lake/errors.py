"""Errors of the lake: what was refused, what failed, and what is not known to have failed."""

from vintner.errors import VintnerError


class TableMissingError(VintnerError, LookupError):
    """A declared table is not in the catalog."""

    template = "table {table} is not in the catalog; create it with `python -m vintner.aws migrate`"


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
