"""Landing streams of records in the lake, exactly once."""

from vintner.marketdata.landing.bars import BarsLander
from vintner.marketdata.landing.lander import Lander
from vintner.marketdata.landing.model import Broken, LandReport, Normalise, Normalised, Online, Store
from vintner.marketdata.landing.payload import payloads

__all__ = [
    "BarsLander", "Broken", "LandReport", "Lander", "Normalise", "Normalised", "Online", "Store", "payloads",
]  # fmt: skip
