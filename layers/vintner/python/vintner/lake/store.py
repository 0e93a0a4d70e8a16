"""Landing into one database of a catalog: facts, refusals, and the entities it knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from pyiceberg.catalog import Catalog

from vintner.bitemporal.model import ENTITY, OP, Operation
from vintner.lake.facts import Clock, Facts, land_facts
from vintner.lake.judging import Judgement
from vintner.lake.model import Dataset
from vintner.lake.predicates import equal
from vintner.lake.quarantine import TABLE as QUARANTINE
from vintner.lake.quarantine import Refusal, land_refusals
from vintner.lake.reader import load_table


class FactStore:
    """Where consumers land what they accept and what they refuse.

    Parameters
    ----------
    catalog, database
        Where the tables are.
    clock
        Tells the present; rows are stamped by it when they are committed.
    """

    def __init__(self, catalog: Catalog, database: str, *, clock: Clock) -> None:
        self._catalog = catalog
        self._database = database
        self._clock = clock
        self._known: dict[str, set[str]] = {}

    def land(self, dataset: Dataset, facts: Facts, *, checkpoints: Mapping[str, int]) -> Judgement:
        """Land validated facts exactly once; see :func:`vintner.lake.facts.land_facts`."""
        load = partial(load_table, self._catalog, self._database, dataset.name)
        return land_facts(load, dataset, facts, checkpoints=checkpoints, clock=self._clock)

    def refuse(self, refusals: Iterable[Refusal], *, checkpoints: Mapping[str, int]) -> list[Refusal]:
        """Keep refused records exactly once; see :func:`vintner.lake.quarantine.land_refusals`."""
        load = partial(load_table, self._catalog, self._database, QUARANTINE)
        return land_refusals(load, refusals, checkpoints=checkpoints, clock=self._clock)

    def unknown(self, dataset: str, entities: set[str]) -> set[str]:
        """Return those of ``entities`` that the named dataset has never known.

        What is known stays known, so only a name not met before is looked up in the lake.
        """
        known = self._known.setdefault(dataset, set())
        if not entities <= known:
            table = load_table(self._catalog, self._database, dataset)
            stated = table.scan(row_filter=equal(OP, Operation.UPSERT.value), selected_fields=(ENTITY,)).to_arrow()
            known.update(stated[ENTITY].to_pylist())
        return entities - known
