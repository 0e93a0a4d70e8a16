"""Feature tables: every cell the value that was known when its row was decided.

How :func:`feature_table` answers a spine (one row per entity and decision time):

1. :func:`with_entity_keys` gives the spine one more column per distinct way in which the view's features name
   the entity of their dataset (``SP500/{entity}``, or a constant).
2. :func:`sources_for` groups the features that share dataset, naming, time to live and delay into one source each,
   and reads every dataset once: only the entities asked for, and nothing learned after the latest cut.
3. :func:`vintner.bitemporal.as_of_join` answers each row at its own time.
4. The key columns are dropped; the columns are the spine's, then the features in the order of their declaration.

:func:`online_features` answers the same question for entities now, from the online store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal import TIME, FactSource, SpineTableError, as_of_join
from vintner.bitemporal.model import ENTITY, EVENT_TIME, INSTANT, utc
from vintner.features.model import Feature, FeatureView
from vintner.features.online import OnlineStore

if TYPE_CHECKING:
    from vintner.lake.reader import FactReader

_OWN_ENTITY: Final = "{entity}"


@dataclass(frozen=True, slots=True)
class SourceGroup:
    """What features must share to be read as one source."""

    dataset: str
    naming: str
    ttl: timedelta | None
    delay: timedelta


def feature_table(
    view: FeatureView,
    spine: pa.Table,
    reader: FactReader,
    *,
    known_at: datetime | None = None,
    system_at: datetime | None = None,
) -> pa.Table:
    """Return the spine with one column per feature of ``view``.

    Parameters
    ----------
    spine
        ``entity`` (string) and ``time`` (UTC microseconds), one row per answer wanted; further columns are kept.
    reader
        Where the facts are.
    known_at, system_at
        One knowledge cut for all rows instead of each row's own time, and a system cut for a replay.

    Returns
    -------
    pa.Table
        The spine's rows in the spine's order: its columns, then the view's features in their declared types.
        A feature nothing was known about is null.

    Raises
    ------
    SpineTableError
        If the spine lacks a column, has one of another type, or already has a column named like a feature.
    NaiveTimeError
        If a cut has no zone.

    Examples
    --------
    >>> from datetime import UTC
    >>> spine = pa.table({"entity": ["AAPL"], "time": pa.array([datetime(2020, 1, 3, tzinfo=UTC)], INSTANT)})
    >>> feature_table(EQUITY_DAILY, spine, reader).column_names  # doctest: +SKIP
    ['entity', 'time', 'close', 'sp500_member', 'us_hml_pct', 'uk_gdp']
    """
    for name in (feature.name for feature in view.features if feature.name in spine.column_names):
        raise SpineTableError(column=name, problem=f"is also a feature of {view.name}", remedy="rename it")
    sources = sources_for(view, spine, reader, known_at=known_at, system_at=system_at)
    joined = as_of_join(with_entity_keys(view, spine), sources, known_at=known_at, system_at=system_at)
    return joined.select([*spine.column_names, *(feature.name for feature in view.features)])


def sources_for(
    view: FeatureView,
    spine: pa.Table,
    reader: FactReader,
    *,
    known_at: datetime | None = None,
    system_at: datetime | None = None,
) -> Sequence[FactSource]:
    """Return the facts that answer ``view`` for ``spine``, as sources of an as-of join.

    The sources name their keys by the columns of :func:`with_entity_keys`; parameters and errors are those of
    :func:`feature_table`.

    Examples
    --------
    >>> table = feature_table(view, spine, reader)  # doctest: +SKIP
    >>> audit_leaks(with_entity_keys(view, table), sources_for(view, spine, reader)).cells  # doctest: +SKIP
    """
    checked = _checked(spine)
    cut = utc(known_at, field="known_at") if known_at is not None else _latest_cut(checked, view)
    facts = {
        dataset.name: reader.read(
            dataset,
            entities=_entities(checked, (f.entity for f in view.features if f.dataset.name == dataset.name)),
            known_to=cut,
            ingested_to=system_at,
        )
        for dataset in {feature.dataset.name: feature.dataset for feature in view.features}.values()
    }
    return [
        FactSource(
            facts=facts[group.dataset],
            columns={feature.name: feature.column for feature in features},
            spine_keys=(key_column(group.naming),),
            ttl=group.ttl,
            delay=group.delay,
        )
        for group, features in source_groups(view).items()
    ]


def with_entity_keys(view: FeatureView, table: pa.Table) -> pa.Table:
    """Return ``table`` with the key columns that the sources of ``view`` look for.

    Features about the row's own entity need none; each other way of naming an entity adds one column.

    Examples
    --------
    >>> with_entity_keys(EQUITY_DAILY, spine).column_names  # doctest: +SKIP
    ['entity', 'time', 'entity:SP500/{entity}', 'entity:us.hml.monthly', 'entity:uk.gdpkp']
    """
    entities = _checked(table)[ENTITY]
    for naming in dict.fromkeys(feature.entity for feature in view.features):
        if naming != _OWN_ENTITY:
            table = table.append_column(pa.field(key_column(naming), pa.string()), _named(naming, entities))
    return table


def online_features(
    view: FeatureView, entities: Sequence[str], store: OnlineStore, *, now: datetime
) -> list[dict[str, Any]]:
    """Return the features of each entity at ``now``, by name, from the online store, in the order of ``entities``.

    Equal to the rows ``(entity, now)`` of :func:`feature_table` once the store holds what the lake holds. A fact that
    several entities share is read once.

    Raises
    ------
    NaiveTimeError
        If ``now`` has no zone.

    Examples
    --------
    >>> online_features(EQUITY_DAILY, ["AAPL"], store, now=datetime(2020, 1, 3, tzinfo=UTC))  # doctest: +SKIP
    [{'close': 300.35, 'sp500_member': True, 'us_hml_pct': 1.8, 'uk_gdp': None}]
    """
    instant = utc(now, field="now")
    groups = source_groups(view)

    @cache
    def latest(group: SourceGroup, key: str) -> Mapping[str, Any] | None:
        fact = store.latest(groups[group][0].dataset, key, at=instant, known_at=instant - group.delay)
        return None if fact is None or _expired(fact, instant, group.ttl) else fact

    answers = []
    for entity in entities:
        facts = {group: latest(group, features[0].entity_for(entity)) for group, features in groups.items()}
        values = {f.name: (facts[g] or {}).get(f.column) for g, features in groups.items() for f in features}
        answers.append({feature.name: values[feature.name] for feature in view.features})
    return answers


def _expired(fact: Mapping[str, Any], now: datetime, ttl: timedelta | None) -> bool:
    age: timedelta = now - fact[EVENT_TIME]
    return ttl is not None and age > ttl


def source_groups(view: FeatureView) -> dict[SourceGroup, list[Feature]]:
    """Return the features of a view by what they share."""
    groups: dict[SourceGroup, list[Feature]] = {}
    for feature in view.features:
        ttl = feature.ttl if feature.ttl is not None else feature.dataset.ttl
        groups.setdefault(SourceGroup(feature.dataset.name, feature.entity, ttl, feature.delay), []).append(feature)
    return groups


def _checked(spine: pa.Table) -> pa.Table:
    for column, expected in ((ENTITY, pa.string()), (TIME, INSTANT)):
        if column not in spine.column_names:
            raise SpineTableError(column=column, problem="is missing", remedy=f"add it as {expected}")
        if spine.schema.field(column).type != expected:
            problem = f"is {spine.schema.field(column).type}"
            raise SpineTableError(column=column, problem=problem, remedy=f"cast it to {expected}")
        if spine[column].null_count:
            raise SpineTableError(column=column, problem="has nulls", remedy="leave those rows out")
    return spine


def _latest_cut(spine: pa.Table, view: FeatureView) -> datetime | None:
    latest: datetime | None = pc.max(spine[TIME]).as_py()
    return latest - min(feature.delay for feature in view.features) if latest is not None else None


def _entities(spine: pa.Table, namings: Iterable[str]) -> list[str]:
    distinct = spine[ENTITY].unique()
    wanted = [_named(naming, distinct) for naming in namings]
    return sorted({entity for names in wanted for entity in names.to_pylist()})


def _named(naming: str, entities: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    return pa.array([naming.format(entity=entity) for entity in entities.to_pylist()], pa.string())


def key_column(naming: str) -> str:
    """Return the name of the column of :func:`with_entity_keys` for a way of naming the entity."""
    return ENTITY if naming == _OWN_ENTITY else f"{ENTITY}:{naming}"
