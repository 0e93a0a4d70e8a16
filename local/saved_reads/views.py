"""A feature view as a query whose symbols and days are parameters: one as-of join for each of its features."""

from __future__ import annotations

from typing import Final

from local.saved_reads.read import READS, table_of
from vintner.bitemporal.sql import Dialect, SqlSource, SqlSpine, SqlStatement
from vintner.bitemporal.sql.spelling import Spelling
from vintner.features.model import FeatureView

_SPELL: Final = Spelling(Dialect.ATHENA)
_ASKED: Final = """\
WITH asked AS (
    SELECT split(?, ',') AS symbols, split(?, ',') AS days, ? AS clock
),

decisions AS (
    SELECT CAST(d.day || ' ' || asked.clock || ' UTC' AS timestamp(6) with time zone) AS at
    FROM asked
    CROSS JOIN UNNEST(asked.days) AS d (day)
),

spine AS (
    -- Each symbol at each decision, and what each feature calls it.
    SELECT
        {columns}
    FROM asked
    CROSS JOIN UNNEST(asked.symbols) AS s (symbol)
    CROSS JOIN decisions
),

"""
_PARAMETERS: Final = ("symbols (separated by commas)", "days (separated by commas)", "time of day (UTC)")


def view_read(view: FeatureView) -> SqlStatement:
    """Return the query of a view; its features are columns, beside ``entity`` and ``time``."""
    entities = {feature.name: f"{feature.name}_entity" for feature in view.features}
    columns = [
        "s.symbol AS entity",
        'decisions.at AS "time"',
        *(f"{_entity(feature.entity)} AS {_SPELL.name(entities[feature.name])}" for feature in view.features),
    ]
    sources = [
        SqlSource(
            table=table_of(feature.dataset),
            columns={feature.name: feature.column},
            spine_keys=(entities[feature.name],),
            ttl=feature.dataset.ttl if feature.ttl is None else feature.ttl,
            delay=feature.delay,
        )
        for feature in view.features
    ]
    spine = SqlSpine(columns=("entity", "time", *entities.values()))
    joined = READS.as_of_join(spine, sources, columns=("entity", "time"), order_by=("time", "entity"))
    asked = _ASKED.format(columns=",\n        ".join(columns))
    return SqlStatement(asked + joined.text.removeprefix("WITH "), _PARAMETERS)


def _entity(template: str) -> str:
    """Return how a feature names the entity, as SQL over the symbol.

    Examples
    --------
    >>> _entity("{entity}"), _entity("SP500/{entity}"), _entity("uk.gdpkp")
    ('s.symbol', "'SP500/' || s.symbol", "'uk.gdpkp'")
    """
    before, found, after = template.partition("{entity}")
    parts = [*([_SPELL.literal(before)] if before else []), *(["s.symbol"] if found else [])]
    return " || ".join([*parts, *([_SPELL.literal(after)] if after else [])])
