"""The outermost form of a statement: its kind, ``EXECUTE``, ``PREPARE``, ``UNLOAD``, and ``?`` parameters.

Parameters are put into the text, not into a tree, so that every engine gets plain SQL and an error names the place
in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from local.athena.engine import StatementKind
from local.athena.errors import InvalidAthenaRequestError, StatementFailedError
from local.athena.text import DIALECT, mismatched, tokens_of

_KINDS: Final[Mapping[str, StatementKind]] = {
    **dict.fromkeys(("SELECT", "WITH", "VALUES", "TABLE", "("), StatementKind.QUERY),
    **dict.fromkeys(("DESCRIBE", "DESC"), StatementKind.DESCRIBE),
    **dict.fromkeys(("OPTIMIZE", "VACUUM", "MSCK"), StatementKind.MAINTAIN),
    **{
        kind.value: kind
        for kind in StatementKind
        if kind not in (StatementKind.QUERY, StatementKind.DESCRIBE, StatementKind.MAINTAIN)
    },
}
_OPENING: Final = {TokenType.L_PAREN, TokenType.L_BRACKET}
_CLOSING: Final = {TokenType.R_PAREN, TokenType.R_BRACKET}


@dataclass(frozen=True, slots=True)
class Execute:
    """``EXECUTE name USING ...``, taken apart."""

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepare:
    """``PREPARE name FROM query``, taken apart."""

    name: str
    query: str


@dataclass(frozen=True, slots=True)
class Unload:
    """``UNLOAD (query) TO 'location' WITH (...)``, taken apart; options in lower case."""

    query: str
    location: str
    options: Mapping[str, str]


def kind_of(text: str) -> StatementKind:
    """Return what a statement does.

    Raises
    ------
    MalformedStatementError
        Its first word opens no statement of Athena's.

    Examples
    --------
    >>> kind_of("with a as (select 1) select * from a").name, kind_of("VACUUM t").name
    ('QUERY', 'MAINTAIN')
    """
    first = tokens_of(text)[0]
    kind = _KINDS.get(first.text.split()[0].upper())
    if kind is None:
        raise mismatched(
            text,
            first.start,
            first.text,
            "'ALTER', 'CREATE', 'DEALLOCATE', 'DELETE', 'DESC', 'DESCRIBE', 'DROP', 'EXECUTE', 'EXPLAIN', 'INSERT', "
            "'MERGE', 'PREPARE', 'SHOW', 'UNLOAD', 'UPDATE', <query>",
        )
    return kind


def parse_execute(text: str) -> Execute:
    """Take ``EXECUTE name [USING value, ...]`` apart.

    Examples
    --------
    >>> parse_execute("EXECUTE vintage USING 'uk.gdpkp', timestamp '2009-01-01 00:00:00 UTC'")
    Execute(name='vintage', arguments=("'uk.gdpkp'", "timestamp '2009-01-01 00:00:00 UTC'"))
    """
    words = tokens_of(text)
    name = _expect(text, words, 1, None, "<identifier>")
    if len(words) == 2:
        return Execute(name.text, ())
    _expect(text, words, 2, "USING", "'USING', <EOF>")
    _expect(text, words, 3, None, "<expression>")
    return Execute(name.text, tuple(_split_arguments(text, words[3:])))


def parse_prepare(text: str) -> Prepare:
    """Take ``PREPARE name FROM query`` apart."""
    words = tokens_of(text)
    name = _expect(text, words, 1, None, "<identifier>")
    _expect(text, words, 2, "FROM", "'FROM'")
    query = _expect(text, words, 3, None, "<query>")
    return Prepare(name.text, text[query.start : words[-1].end + 1])


def parse_deallocate(text: str) -> str:
    """Return the name in ``DEALLOCATE PREPARE name``."""
    words = tokens_of(text)
    opening = " ".join(word.text for word in words[:-1]).upper().split()  # the tokenizer may keep both words as one
    if opening != ["DEALLOCATE", "PREPARE"]:
        raise mismatched(text, words[-1].start, words[-1].text, "'DEALLOCATE PREPARE <identifier>'")
    return words[-1].text


def parse_unload(text: str) -> Unload:
    """Take ``UNLOAD (query) TO 'location' WITH (key = 'value', ...)`` apart.

    Examples
    --------
    >>> parse_unload("UNLOAD (SELECT 1 AS a) TO 's3://b/x/' WITH (format = 'PARQUET')").query
    'SELECT 1 AS a'
    """
    words = tokens_of(text)
    if _expect(text, words, 1, None, "'('").token_type is not TokenType.L_PAREN:
        raise mismatched(text, words[1].start, words[1].text, "'('")
    close = _closing(text, words, 1)
    _expect(text, words, close + 1, "TO", "'TO'")
    location = _expect(text, words, close + 2, None, "<string>")
    if location.token_type is not TokenType.STRING:
        raise mismatched(text, location.start, location.text, "<string>")
    query = text[words[1].end + 1 : words[close].start].strip()
    return Unload(query, location.text, _options(text, words, close + 3))


def count_parameters(text: str) -> int:
    """Return how many ``?`` a statement has."""
    return sum(token.token_type is TokenType.PLACEHOLDER for token in tokens_of(text))


def fill_parameters(text: str, values: Sequence[str]) -> str:
    """Put literals where the ``?`` of a statement stand.

    Parameters
    ----------
    text
        Statement with placeholders.
    values
        One constant SQL expression per placeholder, in order; a string carries its quotes, as in Athena.

    Raises
    ------
    StatementFailedError
        Their number is wrong, or one is not a constant.

    Examples
    --------
    >>> fill_parameters("SELECT ? + ?", ["1", "-2"])
    'SELECT 1 + (-2)'
    """
    places = [token for token in tokens_of(text) if token.token_type is TokenType.PLACEHOLDER]
    if len(places) != len(values):
        raise StatementFailedError(
            code="INVALID_PARAMETER_USAGE",
            message=f"Incorrect number of parameters: expected {len(places)} but found {len(values)}",
            line=1,
            column=1,
        )
    pieces, last = [], 0
    for place, value in zip(places, values, strict=True):
        pieces += [text[last : place.start], _constant(value)]
        last = place.end + 1
    return "".join([*pieces, text[last:]])


def _constant(value: str) -> str:
    try:
        tokens = sqlglot.tokenize(value, dialect=DIALECT)
        parsed = sqlglot.parse_one(value, dialect=DIALECT)
    except SqlglotError as error:
        raise InvalidAthenaRequestError(message=f"Execution parameter {value} is not an SQL expression") from error
    if parsed.find(exp.Column, exp.Query, exp.Command, exp.Placeholder) is not None:
        raise StatementFailedError(
            code="INVALID_PARAMETER_USAGE",
            message=f"Parameter {value} is not a constant; a string needs its quotes: '{value}'",
            line=1,
            column=1,
        )
    return value if len(tokens) == 1 else f"({value})"


def _expect(text: str, words: list[Token], index: int, word: str | None, expecting: str) -> Token:
    if index >= len(words):
        raise mismatched(text, len(text), "<EOF>", expecting)
    token = words[index]
    if word is not None and token.text.upper() != word:
        raise mismatched(text, token.start, token.text, expecting)
    return token


def _closing(text: str, words: list[Token], opening: int) -> int:
    depth = 0
    for index in range(opening, len(words)):
        kind = words[index].token_type
        depth += (kind in _OPENING) - (kind in _CLOSING)
        if depth == 0:
            return index
    raise mismatched(text, len(text), "<EOF>", "')'")


def _split_arguments(text: str, words: list[Token]) -> list[str]:
    arguments, depth, start = [], 0, words[0].start
    for word in words:
        depth += (word.token_type in _OPENING) - (word.token_type in _CLOSING)
        if word.token_type is TokenType.COMMA and depth == 0:
            arguments.append(text[start : word.start].strip())
            start = word.end + 1
    return [*arguments, text[start : words[-1].end + 1].strip()]


def _options(text: str, words: list[Token], start: int) -> dict[str, str]:
    if start >= len(words):
        return {}
    _expect(text, words, start, "WITH", "'WITH', <EOF>")
    inside = words[start + 2 : _closing(text, words, start + 1)]
    options = {}
    for argument in _split_arguments(text, inside) if inside else []:
        name, _, value = argument.partition("=")
        options[name.strip().strip('"').lower()] = value.strip().strip("'")
    return options
