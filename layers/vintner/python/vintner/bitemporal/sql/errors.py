"""What cannot be said in SQL; each message says what to do."""

from __future__ import annotations

from vintner.errors import VintnerError


class SqlNameError(VintnerError, ValueError):
    """A name of a table or column cannot be used."""

    template = "the name {name!r} {problem}; {remedy}"


class SqlLiteralError(VintnerError, ValueError):
    """A value cannot be written into a statement."""

    template = "{value!r} ({kind}) cannot be written as SQL; {remedy}"


class SqlSpanError(VintnerError, ValueError):
    """A span is finer than the dialect's intervals."""

    template = "{field} is {value}, but an interval of {dialect} counts milliseconds; round it to whole milliseconds"


class SqlRevisionError(VintnerError, ValueError):
    """The dialect cannot read a table at a revision."""

    template = "{dialect} cannot read revision {revision!r} of a table by SQL; {remedy}"
