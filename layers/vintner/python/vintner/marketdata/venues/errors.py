"""Errors of venue declarations."""

from vintner.errors import VintnerError


class VenueDeclarationError(VintnerError, ValueError):
    """A venue, tick table or condition table contradicts itself."""

    template = "{what} {name!r}: {field} {rule}; {remedy}"


class UnknownVenueError(VintnerError, KeyError):
    """No venue of that code is declared."""

    template = "venue {venue!r} is not declared; there are {known}"
