"""The point-in-time reads as SQL text, for every engine that holds the facts."""

from vintner.bitemporal.sql.dialect import Dialect

__all__ = ["Dialect"]
