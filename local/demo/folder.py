"""Reads a folder of the user's own data: by its layout, or by the plain one.

1. The layout is the folder's own ``vintner.toml``; else the shipped one all of whose telling files are there; else
   the plain layout, in which files are named after the datasets and columns after the clocks and values.
2. Each feed's files are read with their filters pushed down; only the columns a feed uses are touched.
3. Entities, clocks and values are made by the layout's rules, and whole vintages become versions.

The folder is only ever read.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv
from pydantic import ValidationError

from local.demo.errors import FeedUnreadableError, FolderUnknownError, LayoutInvalidError
from local.demo.model import Feed
from local.demo.rules import FeedRule, Layout, TimeRule, ValueRule
from local.demo.sources.clocks import changed_only, upserts
from vintner.bitemporal.model import ENTITY, EVENT_TIME, KNOWLEDGE_TIME, OP, REVISION_SEQ
from vintner.marketdata import REFERENCE

OWN_LAYOUT: Final = "vintner.toml"
SHIPPED: Final = Path(__file__).parent / "layouts"
ENDINGS: Final = (".parquet", ".csv", ".csv.gz")
_CASES: Final = {"": lambda text: text, "lower": pc.utf8_lower, "upper": pc.utf8_upper}


def find_layout(folder: Path) -> Layout:
    """Return the layout of a folder.

    Raises
    ------
    FolderUnknownError
        Nothing in it is recognised.
    LayoutInvalidError
        The layout file that applies is not valid.
    """
    own = folder / OWN_LAYOUT
    if own.is_file():
        return read_layout(own)
    for path in sorted(SHIPPED.glob("*.toml")):
        layout = read_layout(path)
        if layout.recognise and all((folder / name).is_file() for name in layout.recognise):
            return layout
    rules = tuple(_plain_rules(folder)) if folder.is_dir() else ()
    if not rules:
        raise FolderUnknownError(folder=folder, datasets=", ".join(REFERENCE))
    return Layout(version=1, name=folder.name, feeds=rules)


def read_layout(path: Path) -> Layout:
    """Return the layout a TOML file states.

    Raises
    ------
    LayoutInvalidError
        Naming the first key that is wrong.
    """
    try:
        return Layout.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise LayoutInvalidError(path=path, problem=str(error)) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise LayoutInvalidError(path=path, problem=f"{where}: {first['msg']}") from error


def read_feed(folder: Path, rule: FeedRule) -> Feed:
    """Read one feed of a folder.

    Raises
    ------
    FeedUnreadableError
        The file is missing, a column is missing, or a value cannot be read as the rule says.
    """
    try:
        files = sorted(path for path in folder.glob(rule.file) if path.is_file())
        if not files:
            raise FileNotFoundError("there is no such file")
        table = pa.concat_tables((_read_file(file, rule) for file in files), promote_options="permissive")
        facts = _facts(table, rule)
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        problem = f"column {error} is missing" if type(error) is KeyError else str(error).splitlines()[0]
        remedy = f"mend the file, or describe it in {OWN_LAYOUT}"
        raise FeedUnreadableError(file=rule.file, dataset=rule.dataset, problem=problem, remedy=remedy) from error
    return Feed(name=rule.source, dataset=rule.dataset, facts=facts, origin=rule.file, known_by_rule=rule.rule)


def _read_file(file: Path, rule: FeedRule) -> pa.Table:
    wanted = list(dict.fromkeys(_columns(rule)))
    if file.suffix == ".parquet":
        schema = pq.read_schema(file)
        _require(wanted, schema.names)
        return pq.read_table(file, columns=wanted, filters=_filter(rule, schema))
    table = csv.read_csv(file)
    _require(wanted, table.column_names)
    return table.filter(_filter(rule, table.schema)).select(wanted)


def _columns(rule: FeedRule) -> Iterator[str]:
    """Name the columns of the file that a feed's rule uses."""
    yield from (name for _, name, _, _ in string.Formatter().parse(rule.entity) if name)
    origins: list[TimeRule | ValueRule] = [rule.event_time, rule.knowledge_time, *rule.values.values()]
    yield from (origin.column for origin in origins if origin.column is not None)
    yield from (where.column for where in rule.where)
    if rule.op is not None:
        yield rule.op
    if rule.revision not in ("none", "changes"):
        yield rule.revision


def _require(wanted: list[str], present: list[str]) -> None:
    for name in wanted:
        if name not in present:
            raise KeyError(name)


def _filter(rule: FeedRule, schema: pa.Schema) -> pc.Expression:
    kept = pc.scalar(True)
    for where in rule.where:
        kept = kept & where.expression(schema)
    return kept


def _facts(table: pa.Table, rule: FeedRule) -> pa.Table:
    types = {column.name: column.type for column in REFERENCE[rule.dataset].columns}
    columns: dict[str, Any] = {
        ENTITY: _entities(table, rule.entity),
        EVENT_TIME: rule.event_time.instants(table),
        KNOWLEDGE_TIME: rule.knowledge_time.instants(table),
    }
    if rule.revision not in ("none", "changes"):
        columns[REVISION_SEQ] = table[rule.revision].cast(pa.int64())
    if rule.op is not None:
        columns[OP] = table[rule.op].cast(pa.string())
    facts = pa.table(columns | {name: value.values(table, types[name]) for name, value in rule.values.items()})
    for name in (name for name, value in rule.values.items() if value.words is not None):
        facts = facts.filter(pc.is_valid(facts[name]))  # the other words say something else
    return upserts(changed_only(facts) if rule.revision == "changes" else facts)


def _entities(table: pa.Table, template: str) -> pa.Array | pa.ChunkedArray:
    pieces: list[Any] = []
    for literal, name, case, _ in string.Formatter().parse(template):
        pieces.append(literal)
        if name:
            if case not in _CASES:
                raise ValueError(f"{{{name}:{case}}}: write {{{name}}}, {{{name}:lower}} or {{{name}:upper}}")
            pieces.append(_CASES[case](table[name].cast(pa.string())))
    if all(isinstance(piece, str) for piece in pieces):
        return pa.repeat(pa.scalar("".join(pieces)), table.num_rows)
    return pc.binary_join_element_wise(*pieces, "")


def _plain_rules(folder: Path) -> Iterator[FeedRule]:
    """Yield a rule for each file named after a dataset, by the columns it has."""
    for name, dataset in REFERENCE.items():
        for file in (folder / f"{name}{ending}" for ending in ENDINGS):
            if file.is_file():
                present = pq.read_schema(file).names if file.suffix == ".parquet" else csv.read_csv(file).column_names
                yield FeedRule(
                    file=file.name,
                    dataset=name,
                    source=folder.resolve().name or "folder",
                    entity="{entity}",
                    event_time=TimeRule(column=EVENT_TIME),
                    knowledge_time=TimeRule(column=KNOWLEDGE_TIME),
                    values={column: ValueRule(column=column) for column in dataset.values.names if column in present},
                    revision=REVISION_SEQ if REVISION_SEQ in present else "none",
                    op=OP if OP in present else None,
                )
