"""The feature views, each declared once."""

from __future__ import annotations

from typing import Final

from vintner.features.model import Feature, FeatureView
from vintner.marketdata.datasets import FACTOR_RETURNS, INDEX_MEMBERSHIP, MACRO_SERIES, PRICES_DAILY

EQUITY_DAILY: Final = FeatureView(
    name="equity_daily",
    doc="What was known about a US stock and its surroundings at a decision time.",
    features=(
        Feature(name="close", dataset=PRICES_DAILY, column="close"),
        Feature(name="sp500_member", dataset=INDEX_MEMBERSHIP, column="member", entity="SP500/{entity}"),
        Feature(name="us_hml_pct", dataset=FACTOR_RETURNS, column="return_pct", entity="us.hml.monthly"),
        Feature(name="uk_gdp", dataset=MACRO_SERIES, column="value", entity="uk.gdpkp"),
    ),
)

VIEWS: Final = {view.name: view for view in (EQUITY_DAILY,)}
"""Every feature view by name."""
