"""Vintner: every fact keeps its vintage."""

from vintner.errors import VintnerError

__all__ = ["VintnerError"]
