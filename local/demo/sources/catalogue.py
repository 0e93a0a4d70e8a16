"""The packaged feeds by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from local.demo.model import Feed
from local.demo.sources.french import read_french
from local.demo.sources.membership import read_membership
from local.demo.sources.prices import read_instruments, read_prices
from local.demo.sources.uk_macro import read_uk_macro

PACKAGED: Final[dict[str, Callable[[], Feed]]] = {
    "us-instruments": read_instruments,
    "us-prices": read_prices,
    "sp500-membership": read_membership,
    "uk-macro": read_uk_macro,
    "french-factors": read_french,
}
"""Reader by name, in the order a stream would need them: instruments before their prices."""


def read_packaged(names: Iterable[str] = tuple(PACKAGED)) -> tuple[Feed, ...]:
    """Read the named packaged feeds (all by default), in the catalogue's order.

    Examples
    --------
    >>> [feed.dataset for feed in read_packaged(["uk-macro"])]  # doctest: +SKIP
    ['macro_series']
    """
    wanted = set(names)
    return tuple(read() for name, read in PACKAGED.items() if name in wanted)
