"""What the DuckDB engine says when it will not guess."""

from __future__ import annotations

from sqlglot import exp

from local.athena.errors import StatementFailedError


def refuse(what: str, remedy: str) -> StatementFailedError:
    """Return the error for something valid in Athena that DuckDB would answer differently.

    Examples
    --------
    >>> str(refuse("max_by with a count", "use a window"))
    "NOT_SUPPORTED: max_by with a count is not supported by the laptop's DuckDB engine: use a window"
    """
    return StatementFailedError(
        code="NOT_SUPPORTED", message=f"{what} is not supported by the laptop's DuckDB engine: {remedy}"
    )


def refuse_untyped(node: exp.Expr) -> StatementFailedError:
    """Return the error for an expression whose type decides its meaning and could not be inferred."""
    return refuse(f"'{node.sql('trino')}', whose type cannot be inferred,", "give it one with CAST")


def call(name: str, *arguments: exp.Expr | str) -> exp.Anonymous:
    """Return a call of a DuckDB function or of a macro of the prelude; a str is a text literal."""
    nodes = [exp.Literal.string(each) if isinstance(each, str) else each for each in arguments]
    return exp.Anonymous(this=name, expressions=nodes)


def cast(node: exp.Expr, type_: str) -> exp.Cast:
    """Return a cast to a DuckDB type."""
    return exp.Cast(this=node, to=exp.DataType.build(type_, dialect="duckdb"))
