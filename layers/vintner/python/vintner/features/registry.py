"""Finding what is declared, by name."""

from __future__ import annotations

from vintner.features.errors import UnknownDatasetError, UnknownViewError
from vintner.features.model import FeatureView
from vintner.features.views import VIEWS
from vintner.lake.model import Dataset
from vintner.marketdata.datasets import DATASETS


def find_view(name: str) -> FeatureView:
    """Return the declared feature view ``name``.

    Raises
    ------
    UnknownViewError
        If no view has that name; the error lists those that exist.

    Examples
    --------
    >>> find_view("equity_daily").features[0].name
    'close'
    """
    if name not in VIEWS:
        raise UnknownViewError(view=name, known=", ".join(sorted(VIEWS)))
    return VIEWS[name]


def find_dataset(name: str) -> Dataset:
    """Return the declared dataset ``name``.

    Raises
    ------
    UnknownDatasetError
        If no dataset has that name; the error lists those that exist.

    Examples
    --------
    >>> find_dataset("macro_series").values.names
    ['value']
    """
    if name not in DATASETS:
        raise UnknownDatasetError(dataset=name, known=", ".join(sorted(DATASETS)))
    return DATASETS[name]
