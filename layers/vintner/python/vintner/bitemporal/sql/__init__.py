"""The point-in-time reads as SQL text, for every engine that holds the facts."""

from vintner.bitemporal.sql.dialect import Dialect
from vintner.bitemporal.sql.errors import SqlLiteralError, SqlNameError, SqlRevisionError, SqlSpanError
from vintner.bitemporal.sql.model import Parameter, SqlSource, SqlSpine, SqlStatement, SqlTable
from vintner.bitemporal.sql.reads import SqlReads

__all__ = [
    "Dialect",
    "Parameter",
    "SqlLiteralError",
    "SqlNameError",
    "SqlReads",
    "SqlRevisionError",
    "SqlSource",
    "SqlSpanError",
    "SqlSpine",
    "SqlStatement",
    "SqlTable",
]
