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
        "table {table}: the snapshot of {revision} has been expired (kept: {oldest}); "
        "read at a tagged revision, or cut by ingested_to, which outlives snapshots"
    )


class RevisionNotNamedError(VintnerError, LookupError):
    """A pinned reader is asked for a dataset it has no revision of."""

    template = "dataset {dataset} is read and not pinned (pinned: {named}); name its revision too"


class DraftNameError(VintnerError, ValueError):
    """A draft has a name that cannot be part of a branch."""

    template = (
        "draft {draft!r}: use small letters, digits, '.', '_' and '-', at most 80, beginning with none of the marks"
    )


class DraftConflictError(VintnerError, ValueError):
    """Rows of a draft contradict each other or what the table holds. Nothing was written."""

    template = (
        "draft {draft} of {dataset}: {conflicts} rows have a version key that is there with other values, the first "
        "{first}; facts never change: state the correction with a later knowledge_time or a higher revision_seq"
    )


class DraftMissingError(VintnerError, LookupError):
    """There is no such draft: it was never begun, or it was abandoned."""

    template = "dataset {dataset} has no draft {draft}; it has {known}"


class DraftPublishedError(VintnerError):
    """A draft of this name has been published already."""

    template = "draft {draft} of {dataset} was published as {tag}; give the next one another name"


class DraftChangedError(VintnerError):
    """A draft is not what was audited any more."""

    template = "draft {draft} of {dataset} was written to since it was audited; audit it again"


class DraftRefusedError(VintnerError):
    """The audit of a draft found what may not be published."""

    template = "draft {draft} of {dataset} may not be published: {findings}; abandon it, or mend what wrote it"


class MainMovedError(VintnerError):
    """Main has been committed to since a draft was begun, so it cannot be fast-forwarded."""

    template = "main of {dataset} has moved since draft {draft} was begun; rebase the draft and audit it again"


class RevisionContentError(VintnerError):
    """A revision no longer says what it said when it was published."""

    template = "revision {tag} of {dataset} has the content {found} and was published as {recorded}; restore its files"


class RevisionRecordError(VintnerError):
    """The chain of revision records is broken: a record was changed, removed or put in between."""

    template = "revision record {sequence} ({dataset} {tag}): {problem}; compare the table `revisions` with a backup"


class CompactionError(VintnerError):
    """A compacted file does not say what the files it should replace say."""

    template = "table {table}: a file written for {files} files reads differently; nothing was replaced, try again"


class UnsafeAgeError(VintnerError, ValueError):
    """Files would be removed that a running reader or writer may need."""

    template = "files younger than {age} may be in use; give a safe age of at least {least}"
