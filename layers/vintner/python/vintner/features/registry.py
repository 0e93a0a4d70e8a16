"""Finding a declared feature view by name; datasets are found in :mod:`vintner.datasets`."""

from __future__ import annotations

from vintner.features.errors import UnknownViewError
from vintner.features.model import FeatureView
from vintner.features.views import VIEWS


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
