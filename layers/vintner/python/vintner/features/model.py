"""What a feature view declares: columns, each answered by one dataset as it was known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from vintner.features.errors import FeatureTtlError
from vintner.lake.model import Dataset


@dataclass(frozen=True, kw_only=True, slots=True)
class Feature:
    """One column of a view: the latest known value of one dataset's column.

    Parameters
    ----------
    name
        Column name in the view.
    dataset, column
        Where the value comes from.
    entity
        How the view's entity names the dataset's entity: ``{entity}`` is replaced. A constant is allowed
        (a macro series is the same for every symbol).
    ttl
        Age (decision time minus event time) above which the feature is null; None keeps the dataset's own. It may
        not be longer than that: the online store keeps nothing older.
    delay
        Availability delay: the feature sees knowledge up to decision time minus this.

    Raises
    ------
    FeatureTtlError
        The ttl is longer than the dataset's.
    """

    name: str
    dataset: Dataset
    column: str
    entity: str = "{entity}"
    ttl: timedelta | None = None
    delay: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if self.ttl is not None and self.dataset.ttl is not None and self.ttl > self.dataset.ttl:
            raise FeatureTtlError(feature=self.name, ttl=self.ttl, dataset=self.dataset.name, limit=self.dataset.ttl)

    def entity_for(self, entity: str) -> str:
        """Return the dataset's entity that answers for the view's ``entity``."""
        return self.entity.format(entity=entity)


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureView:
    """A named set of features of one kind of entity."""

    name: str
    doc: str
    features: tuple[Feature, ...]
