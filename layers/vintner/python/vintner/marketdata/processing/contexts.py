"""What records are judged by, pinned: a name for each state of the reference data, and the context it stands for."""

from __future__ import annotations

from typing import Protocol

from vintner.marketdata.normalise import Context


class Contexts(Protocol):
    """Contexts by name. A name stands for the same symbols for ever, so that a record is judged again as it was."""

    def newest(self) -> str:
        """Return the name of the newest."""
        ...

    def open(self, name: str) -> Context:
        """Return the context of a name."""
        ...


class FixedContexts:
    """One context, which never changes.

    Examples
    --------
    >>> from vintner.marketdata.calendars import load_sessions
    >>> from vintner.marketdata.symbology import Symbology
    >>> from vintner.marketdata.venues import VENUES
    >>> contexts = FixedContexts(Context(Symbology.empty(), VENUES, load_sessions()))
    >>> contexts.open(contexts.newest()).symbology.knows("XNAS/AAPL")
    False
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def newest(self) -> str:
        """Return the one name there is."""
        return "fixed"

    def open(self, name: str) -> Context:  # noqa: ARG002 - there is one
        """Return the context."""
        return self._context


class Pinned:
    """A context that is in force until it is renewed; what :class:`~vintner.messaging.stateful.Work` pins."""

    def __init__(self, contexts: Contexts) -> None:
        self._contexts = contexts
        self.name = contexts.newest()
        self.context = contexts.open(self.name)

    def renew(self) -> bool:
        """Take the newest; return whether it is another."""
        newest = self._contexts.newest()
        if newest == self.name:
            return False
        self.take(newest)
        return True

    def take(self, name: str) -> None:
        """Take the context of a name."""
        if name != self.name:
            self.name, self.context = name, self._contexts.open(name)
