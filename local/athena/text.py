"""Statements as text: tokens, places, and the words Athena uses for a syntax error."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Final, NoReturn

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokenizer_core import Token, TokenType

from local.athena.errors import MalformedStatementError

DIALECT = "trino"

# Spellings that the parser accepts from other dialects and Athena does not.
_FOREIGN_TOKENS = {TokenType.DCOLON: "::", TokenType.QUALIFY: "QUALIFY"}

_NEVER_AN_ITEM = {TokenType.COMMA, TokenType.FROM, TokenType.WHERE, TokenType.R_PAREN, TokenType.GROUP_BY}


# What SHOW FUNCTIONS says on Trino, and what is a function by its syntax alone.
FUNCTIONS: Final = frozenset(Path(__file__).with_name("trino_functions.txt").read_text(encoding="utf-8").split())
_SYNTAX: Final = frozenset(
    {
        *("and", "array", "case", "cast", "coalesce", "exists", "extract", "format", "grouping", "if", "in", "like"),
        *(
            "localtimestamp",
            "nullif",
            "or",
            "position",
            "row",
            "trim",
            "try",
            "try_cast",
            "current_timestamp",
            "unnest",
        ),
    }
)


def _of_trinos(functions: dict[str, Any]) -> dict[str, Any]:
    return {name: build for name, build in functions.items() if name.lower() in FUNCTIONS | _SYNTAX}


class TrinoAlone(Trino):
    """Trino's dialect without what sqlglot's parser accepts from others: their functions, and shifted subscripts."""

    INDEX_OFFSET = 0  # a subscript stays as it is written, whatever it is of

    class Parser(TrinoParser):
        """Knows Trino's functions; any other name is a call of something unknown."""

        FUNCTIONS = _of_trinos(TrinoParser.FUNCTIONS)
        FUNCTION_PARSERS = _of_trinos(TrinoParser.FUNCTION_PARSERS)


class _WordTokenizer(Trino.Tokenizer):
    """Trino's tokenizer, which otherwise keeps what follows ``EXECUTE`` or ``SHOW`` as one piece."""

    COMMANDS: ClassVar[set[TokenType]] = set()


def place_of(text: str, offset: int) -> tuple[int, int]:
    r"""Return line and column, both from 1, of a character.

    Examples
    --------
    >>> place_of("SELECT 1\nFROM x", 14)
    (2, 6)
    """
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def place_of_node(text: str, node: exp.Expr) -> tuple[int, int] | tuple[None, None]:
    """Return where the first identifier of ``node`` stands in ``text``, or Nones when the parser kept no place."""
    starts = [found.meta["start"] for found in node.find_all(exp.Identifier) if "start" in found.meta]
    return place_of(text, min(starts)) if starts else (None, None)


def mismatched(text: str, offset: int, found: str, expecting: str = "<query>") -> MalformedStatementError:
    """Return Athena's error for a token that cannot stand where it stands."""
    line, column = place_of(text, offset)
    return MalformedStatementError(
        line=line, column=column, message=f"mismatched input '{found}'. Expecting: {expecting}"
    )


def tokens_of(text: str) -> list[Token]:
    """Split a statement into tokens, without its closing semicolon.

    Raises
    ------
    MalformedStatementError
        A quote is left open, a spelling is not Athena's, nothing is there, or a second statement follows.
    """
    try:
        tokens = _WordTokenizer(dialect=DIALECT).tokenize(text)
    except TokenError as error:
        raise mismatched(text, len(text.rstrip()), "<EOF>", "a closing quote") from error
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        raise mismatched(text, len(text), "<EOF>")
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            line, column = place_of(text, token.start)
            raise MalformedStatementError(line=line, column=column, message="Only one sql statement is allowed")
        if token.token_type in _FOREIGN_TOKENS:
            raise mismatched(text, token.start, _FOREIGN_TOKENS[token.token_type], "',', '.', 'FROM', <EOF>")
    return tokens


def _refuse_gaps(text: str, tokens: list[Token]) -> None:
    """Refuse empty items of a list, which the parser would pass over in silence."""
    following = [*tokens[1:], None]
    for token, after in zip(tokens, following, strict=True):
        if token.token_type is not TokenType.COMMA and token.token_type is not TokenType.SELECT:
            continue
        if after is None:
            raise mismatched(text, len(text), "<EOF>", "<expression>")
        if after.token_type in _NEVER_AN_ITEM:
            raise mismatched(text, after.start, after.text, "<expression>")


def parse_query(text: str) -> exp.Query:
    """Parse a query in Athena's dialect.

    Raises
    ------
    MalformedStatementError
        It does not parse.
    """
    tokens = tokens_of(text)
    _refuse_gaps(text, tokens)
    # A semicolon inside would have been refused, so the text up to the last token is the statement.
    source = text[: tokens[-1].end + 1]
    try:
        tree = sqlglot.parse_one(source, dialect=TrinoAlone)
    except ParseError as error:
        _raise_mismatch(source, error, tokens)
    except TokenError as error:
        raise mismatched(text, len(text), "<EOF>") from error
    if isinstance(tree, exp.Subquery):
        tree = tree.unnest()
    if isinstance(tree, exp.Values):
        tree = exp.select("*").from_(exp.Subquery(this=tree) if tree.alias else tree)
    if not isinstance(tree, exp.Query):
        raise mismatched(text, tokens[0].start, tokens[0].text)
    return tree


def _raise_mismatch(text: str, error: ParseError, tokens: list[Token]) -> NoReturn:
    found = error.errors[0] if error.errors else {}
    word = str(found.get("highlight") or "")
    line, end = found.get("line"), found.get("col")
    for token in tokens:
        if word and token.line == line and token.col == end:
            raise mismatched(text, token.start, token.text, "<expression>") from error
    raise mismatched(text, len(text), "<EOF>", "<expression>") from error
