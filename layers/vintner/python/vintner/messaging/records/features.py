"""Records of features: one value each, raw as computed, or assembled point in time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from vintner.messaging.records.schema import Doc, record


@record("feature_value", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureValue:
    """One feature of one instrument as computed from one stream."""

    instrument: Annotated[str, Doc("Instrument.")]
    feature: Annotated[str, Doc("Name of the feature, for instance rsi_14_1m.")]
    event_time: Annotated[datetime, Doc("End of the interval it describes.")]
    knowledge_time: Annotated[datetime, Doc("When its latest input was known.")]
    value: Annotated[float | None, Doc("The value; null while it is not defined yet.")]


@record("feature_vector", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureVector:
    """All features of one instrument for one moment, each the latest known by then."""

    instrument: Annotated[str, Doc("Instrument.")]
    view: Annotated[str, Doc("Name and version of the feature view.")]
    event_time: Annotated[datetime, Doc("The moment it describes.")]
    knowledge_time: Annotated[datetime, Doc("When its latest input was known.")]
    values: Annotated[str, Doc("Feature name to value, as a JSON object with sorted names.")]
