"""What the laptop's own engine says of Athena's dialect is what real Trino says, or it says that it will not guess."""

from __future__ import annotations

import math
import unicodedata
from random import Random

import pytest
from pyiceberg.catalog import Catalog

from local.athena import DuckDbEngine
from local.athena.text import FUNCTIONS
from local.trino import TrinoClient, TrinoEngine
from tests.conformance.compared import ask, difference, differing
from tests.conformance.expressions import QUERIES, SINGLE, UNARY, applied
from tests.support.athena_cases import ANSWERS, EXPRESSIONS, REFUSALS, UNPARSABLE
from tests.support.athena_lake import ACME, CALENDAR, macro_rows
from tests.support.bare_ground import NAMES
from vintner.marketdata.datasets import MACRO_SERIES

DATABASE = "dialect"


@pytest.fixture(scope="module", autouse=True)
def facts(catalog: Catalog) -> None:
    """The facts that the cases speak of, in a database of their own."""
    catalog.create_namespace_if_not_exists(DATABASE)
    location = f"{NAMES.warehouse}/{DATABASE}/macro_series"
    table = catalog.create_table((DATABASE, "macro_series"), schema=MACRO_SERIES.schema, location=location)
    table.append(macro_rows([*ACME, *CALENDAR]))


def test_trino_gives_the_answers_that_are_written_down(trino_engine: TrinoEngine) -> None:
    wrong = {query: said for query, rows in ANSWERS if (said := ask(trino_engine, query, DATABASE)).rows != tuple(rows)}
    assert not wrong, wrong


def test_trino_refuses_what_is_wrong_with_the_same_code(trino_engine: TrinoEngine) -> None:
    texts = [(query, reason.partition(":")[0]) for query, reason in REFUSALS if not reason.startswith("NOT_SUPPORTED")]
    codes = {query: ask(trino_engine, query, DATABASE).refusal for query, _ in texts}
    # A table function that Trino does not have, it does not even parse.
    assert codes | {"SELECT * FROM read_csv('/etc/hosts')": "FUNCTION_NOT_FOUND"} == dict(texts)
    assert {ask(trino_engine, query).refusal for query, _ in UNPARSABLE} == {"MALFORMED_QUERY"}


def test_expressions_over_facts_give_the_same_cells(duckdb_engine: DuckDbEngine, trino_engine: TrinoEngine) -> None:
    wrong = []
    for expression, _ in EXPRESSIONS:
        rows = "(SELECT * FROM macro_series WHERE op = 'upsert') AS m"
        is_grouped = expression.startswith(("max_by", "sum", "approx"))
        text = f"SELECT {expression} FROM {rows}" + ("" if is_grouped else " ORDER BY m.record_id")  # noqa: S608
        if told := difference(ask(duckdb_engine, text, DATABASE), ask(trino_engine, text, DATABASE)):
            wrong.append(f"{text}\n  {told}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("group", range(len(UNARY)))
def test_functions_of_edge_values_give_the_same_cell(
    group: int, duckdb_engine: DuckDbEngine, trino_engine: TrinoEngine
) -> None:
    wrong = list(differing(duckdb_engine, trino_engine, list(applied(*UNARY[group]))))
    assert not wrong, "\n".join(wrong)


def test_single_expressions_give_the_same_cell(duckdb_engine: DuckDbEngine, trino_engine: TrinoEngine) -> None:
    wrong = list(differing(duckdb_engine, trino_engine, SINGLE))
    assert not wrong, "\n".join(wrong)


def test_whole_queries_give_the_same_rows(duckdb_engine: DuckDbEngine, trino_engine: TrinoEngine) -> None:
    answers = ((query, ask(duckdb_engine, query), ask(trino_engine, query)) for query in QUERIES)
    wrong = [f"{query}\n  {told}" for query, ours, trinos in answers if (told := difference(ours, trinos))]
    assert not wrong, "\n".join(wrong)


def thrown_doubles() -> list[float]:
    dice = Random(20240502)  # noqa: S311 - seeded dice
    return [
        *(dice.uniform(-10, 10) for _ in range(100)),
        *(dice.lognormvariate(0, 20) for _ in range(100)),
        *(dice.randint(-(10**6), 10**6) / 100 for _ in range(100)),
        -0.0,
    ]


def over_doubles(expression: str) -> str:
    rows = ", ".join(
        f"({number}, {value!r}{'' if 'e' in repr(value) else 'e0'})" for number, value in enumerate(thrown_doubles())
    )
    return f"SELECT {expression} FROM (VALUES {rows}) AS t (n, x) ORDER BY n"  # noqa: S608 - numbers of our own


EXACT = (
    *("x", "sqrt(abs(x))", "round(x)", "round(x, 2)", "truncate(x)", "floor(x)", "ceil(x)", "x * 37e-1"),
    *("x / 7e0", "mod(x, 3e0)", "CAST(x AS real)", "CAST(x AS decimal(38, 3))", "sign(x)", "abs(x)", "-x", "x + 1e-1"),
)
ALMOST = (
    "power(x, 2)",
    "exp(x)",
    "ln(abs(x) + 1)",
    "log10(abs(x) + 1)",
    "log2(abs(x) + 1)",
    "power(abs(x), 37e-2)",
    "log(3, abs(x) + 1)",
)


@pytest.mark.parametrize("expression", EXACT)
def test_arithmetic_agrees_to_the_last_digit(
    expression: str, duckdb_engine: DuckDbEngine, trino_engine: TrinoEngine
) -> None:
    text = over_doubles(expression)
    assert ask(duckdb_engine, text) == ask(trino_engine, text)


@pytest.mark.parametrize("expression", ALMOST)
def test_functions_that_no_engine_rounds_rightly_differ_in_the_last_digit_at_most(
    expression: str, duckdb_engine: DuckDbEngine, trino_engine: TrinoEngine
) -> None:
    text = over_doubles(expression)
    pairs = zip(ask(duckdb_engine, text).rows, ask(trino_engine, text).rows, strict=True)
    for (ours,), (trinos,) in pairs:
        assert ours is not None
        assert trinos is not None
        one, other = (float(cell.replace("Infinity", "inf")) for cell in (ours, trinos))
        assert one == other or abs(one - other) <= 2 * math.ulp(other)


@pytest.mark.parametrize("function", ["upper", "lower", "reverse", "length"])
def test_every_character_is_treated_alike(
    function: str, duckdb_engine: DuckDbEngine, trino_engine: TrinoEngine
) -> None:
    """Letters younger than this Python's Unicode aside: the engines know different editions of it."""
    points = [*range(0x20, 0xD800), *range(0xE000, 0x11000)]
    characters = [chr(at) for at in points if chr(at) not in "'|" and unicodedata.category(chr(at)) != "Cn"]
    for start in range(0, len(characters), 20_000):
        text = f"SELECT split({function}('{'|'.join(characters[start : start + 20_000])}'), '|')"
        if function == "length":
            text = text.replace("split(", "").replace(", '|')", "")
        ours, trinos = ask(duckdb_engine, text), ask(trino_engine, text)
        assert not ours.refusal, ours
        pairs = zip(str(ours.rows).split(", "), str(trinos.rows).split(", "), strict=True)
        assert [pair for pair in pairs if len(set(pair)) > 1 and not any(map(is_young, pair))] == []


def is_young(cell: str) -> bool:
    return any(f"\\{escape}" in cell for escape in "uU") or any(unicodedata.category(each) == "Cn" for each in cell)


def test_the_functions_we_take_for_trinos_are_trinos(trino: TrinoClient) -> None:
    assert set(trino.run("SHOW FUNCTIONS").table.column(0).to_pylist()) == FUNCTIONS
