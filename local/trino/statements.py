"""Where Athena's statements are not Trino's: how tables are made and how they are maintained.

Queries, ``EXPLAIN`` and changes of rows are Trino's own and pass as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from sqlglot.tokenizer_core import Token, TokenType

from local.athena.engine import Statement, StatementKind
from local.athena.errors import StatementFailedError
from local.athena.text import mismatched, tokens_of

_MAINTENANCE: Final = re.compile(
    r"OPTIMIZE\s+(?P<optimized>\S+)\s+REWRITE\s+DATA\s+USING\s+BIN_PACK(?P<where>\s+WHERE\s.+)?"
    r"|VACUUM\s+(?P<vacuumed>\S+)",
    re.IGNORECASE | re.DOTALL,
)
# Athena keeps five days of snapshots and files of three days that no snapshot names, unless a table says otherwise.
_SNAPSHOT_AGE: Final = "5d"
_ORPHAN_AGE: Final = "3d"

_TEXT: Final = re.compile(r"'(?P<text>[^']*)'")


def trino_statements(statement: Statement) -> list[str]:
    """Return what Trino has to run, one after another, for one statement of Athena's.

    Raises
    ------
    StatementFailedError
        Athena can do it, and Trino with nothing but Iceberg tables cannot.

    Examples
    --------
    >>> vacuum = Statement(text="VACUUM prices", kind=StatementKind.MAINTAIN)
    >>> for each in trino_statements(vacuum):
    ...     print(each)
    ALTER TABLE prices EXECUTE expire_snapshots(retention_threshold => '5d')
    ALTER TABLE prices EXECUTE remove_orphan_files(retention_threshold => '3d')
    """
    tokens = tokens_of(statement.text)
    text = statement.text[: tokens[-1].end + 1]
    if statement.kind is StatementKind.MAINTAIN:
        return _maintained(text)
    if statement.kind is StatementKind.CREATE and tokens[1].text.upper() == "TABLE":
        return [_created(text, tokens)]
    return [text]


def _maintained(text: str) -> list[str]:
    found = _MAINTENANCE.fullmatch(text.strip())
    if found is None:
        raise _refused(
            "This maintenance statement", "use OPTIMIZE table REWRITE DATA USING BIN_PACK [WHERE ...] or VACUUM table"
        )
    if found["optimized"]:
        return [f"ALTER TABLE {found['optimized']} EXECUTE optimize{found['where'] or ''}"]
    table = found["vacuumed"]
    return [
        f"ALTER TABLE {table} EXECUTE expire_snapshots(retention_threshold => '{_SNAPSHOT_AGE}')",
        f"ALTER TABLE {table} EXECUTE remove_orphan_files(retention_threshold => '{_ORPHAN_AGE}')",
    ]


def _created(text: str, tokens: list[Token]) -> str:
    """Give ``CREATE TABLE ... WITH (...) AS`` the properties that Trino's connector knows."""
    opening = _properties_at(tokens)
    if opening is None:
        raise _refused("CREATE TABLE without WITH (table_type = 'ICEBERG') and AS", "declare the table in the library")
    closing = _closing(text, tokens, opening)
    given = _properties(text, tokens[opening + 1 : closing])
    if _content(given.get("table_type", "")).upper() != "ICEBERG":
        raise _refused("A table that is not Iceberg's", "write WITH (table_type = 'ICEBERG', ...)")
    made = [f"{name} = {_PROPERTIES[name](value)}" for name, value in given.items() if name in _PROPERTIES]
    if unknown := sorted(set(given) - set(_PROPERTIES) - {"table_type", "is_external"}):
        raise _refused(f"The table property {unknown[0]}", "leave it out")
    properties = f" WITH ({', '.join(made)})" if made else ""
    before, after = text[: tokens[opening - 1].start].rstrip(), text[tokens[closing].end + 1 :]
    return f"{before}{properties}{after}"


def _properties_at(tokens: list[Token]) -> int | None:
    """Return the index of the parenthesis after the ``WITH`` that precedes ``AS``."""
    for index, token in enumerate(tokens[:-1]):
        if token.token_type is TokenType.ALIAS:
            return None
        if token.token_type is TokenType.WITH and tokens[index + 1].token_type is TokenType.L_PAREN:
            return index + 1
    return None


def _closing(text: str, tokens: list[Token], opening: int) -> int:
    depth = 0
    for index in range(opening, len(tokens)):
        depth += (tokens[index].token_type is TokenType.L_PAREN) - (tokens[index].token_type is TokenType.R_PAREN)
        if depth == 0:
            return index
    raise mismatched(text, len(text), "<EOF>", "')'")


def _properties(text: str, tokens: list[Token]) -> dict[str, str]:
    """Return name and expression of each property."""
    found: dict[str, str] = {}
    start, depth = 0, 0
    for index, token in enumerate([*tokens, None]):
        if token is not None:
            depth += token.token_type in (TokenType.L_BRACKET, TokenType.L_PAREN)
            depth -= token.token_type in (TokenType.R_BRACKET, TokenType.R_PAREN)
        if token is None or (token.token_type is TokenType.COMMA and depth == 0):
            if index - start >= 3 and tokens[start + 1].token_type is TokenType.EQ:
                value = text[tokens[start + 2].start : tokens[index - 1].end + 1]
                found[tokens[start].text.lower()] = value
            start = index + 1
    return found


def _content(value: str) -> str:
    found = _TEXT.fullmatch(value)
    return found["text"] if found else ""


_PROPERTIES: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {"format": str.upper, "location": str, "partitioning": str}
)
"""Properties of Athena's that Trino's connector has too, and how each value is written there."""


def _refused(what: str, remedy: str) -> StatementFailedError:
    return StatementFailedError(
        code="NOT_SUPPORTED", message=f"{what} is not run by the laptop's Trino engine: {remedy}"
    )
