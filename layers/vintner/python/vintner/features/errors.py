"""Errors of feature views and of the store that serves them."""

from vintner.errors import VintnerError


class UnknownViewError(VintnerError, LookupError):
    """No feature view of this name is declared."""

    template = "there is no feature view {view!r}; the views are: {known}"


class UnknownDatasetError(VintnerError, LookupError):
    """No dataset of this name is declared."""

    template = "there is no dataset {dataset!r}; the datasets are: {known}"


class OnlineRowError(VintnerError, ValueError):
    """A row cannot be kept in the online store."""

    template = "{dataset}: field {field!r} of row {position} is {value!r}: {rule}; {remedy}"


class OnlineKeyError(VintnerError, ValueError):
    """An entity is not named as its dataset names entities."""

    template = "{dataset}: {key!r} names no entity; give one value for each of {wanted}"


class ConflictingVersionsError(VintnerError, ValueError):
    """Two rows have one version key and different values. Neither may win, so nothing was written."""

    template = (
        "{dataset}: two rows state version {version} of {entity!r} differently; "
        "give the later one a larger revision_seq or knowledge_time"
    )


class FeatureTtlError(VintnerError, ValueError):
    """A feature asks for older facts than its dataset keeps answering with."""

    template = "feature {feature}: ttl {ttl} is longer than the {limit} of {dataset}; shorten it, or lengthen that"


class VectorViewError(VintnerError, ValueError):
    """Vectors cannot be declared so."""

    template = "{what} {rule}; {remedy}"


class VectorRowsError(VintnerError, ValueError):
    """Rows that an assembler of vectors cannot take. None of them was applied."""

    template = "column {column} of the feature values: {rule}; {remedy}"


class VectorStateError(VintnerError, ValueError):
    """A saved lane cannot be read. Nothing was changed; replay the stream instead."""

    template = "the saved state of lane {lane} {problem}; forget it and replay the stream from its start"
