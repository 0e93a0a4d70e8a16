"""Feature views, the tables made from them, and the store that serves them online."""

from vintner.features.errors import (
    ConflictingVersionsError,
    FeatureTtlError,
    OnlineKeyError,
    OnlineRowError,
    UnknownDatasetError,
    UnknownViewError,
)
from vintner.features.model import Feature, FeatureView
from vintner.features.online import MemoryOnlineStore, OnlineStore, Version, versions_of
from vintner.features.registry import find_view
from vintner.features.series import fact_history, series_as_known
from vintner.features.table import feature_table, online_features, sources_for, with_entity_keys
from vintner.features.views import EQUITY_DAILY, VIEWS

__all__ = [
    "EQUITY_DAILY",
    "VIEWS",
    "ConflictingVersionsError",
    "Feature",
    "FeatureTtlError",
    "FeatureView",
    "MemoryOnlineStore",
    "OnlineKeyError",
    "OnlineRowError",
    "OnlineStore",
    "UnknownDatasetError",
    "UnknownViewError",
    "Version",
    "fact_history",
    "feature_table",
    "find_view",
    "online_features",
    "series_as_known",
    "sources_for",
    "versions_of",
    "with_entity_keys",
]
