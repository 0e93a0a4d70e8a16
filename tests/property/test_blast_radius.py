"""The blast radius against its slow twin: every row answered without the restatement and with it, and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.property import oracle
from tests.property.oracle import Row
from tests.property.strategies import (
    ENTITIES,
    LAST,
    fact_rows,
    fact_table,
    instant,
    instants,
    spans,
    spine_rows,
    spine_table,
)
from tests.support.fact_reader import MemoryFacts
from vintner.bitemporal import INSTANT
from vintner.features.provenance import (
    DerivedColumn,
    Input,
    Manifest,
    Move,
    PinnedSource,
    Restatement,
    Workshop,
    blast_radius,
    manifest_of,
)
from vintner.lake import Column, Dataset, Layout

FACTS = Dataset(
    name="facts",
    doc="Facts of a test.",
    stream="none",
    columns=(Column(name="value", type=pa.float64(), doc="A number."), Column(name="label", type=pa.string(), doc="")),
    layout=Layout.YEAR_OF_EVENT,
)
DATASETS = {name: replace(FACTS, name=name) for name in ("facts", "others")}
OUTPUTS = {"value": "value", "said": "label", "known": "knowledge_time", "written": "ingested_at"}


few = settings(max_examples=40)


@dataclass(frozen=True)
class Case:
    """Facts in a store, some of them restated, and a table made from them."""

    held: list[Row]
    stated: list[Row]
    withdrawn: list[Row]
    spine: list[Row]
    source: PinnedSource
    known: Any
    system: Any
    published: bool
    cuts: list[tuple[int | None, int | None]] = field(default_factory=list)

    @property
    def store(self) -> list[Row]:
        """What a reader finds: the restatement is there already, or is about to be."""
        gone = [] if self.published else self.withdrawn
        return [*self.held, *gone, *(self.stated if self.published else [])]

    @property
    def restatement(self) -> Restatement:
        withdrawn = fact_table(self.withdrawn) if self.withdrawn else None
        return Restatement(dataset="facts", stated=fact_table(self.stated), withdrawn=withdrawn)

    @property
    def reader(self) -> MemoryFacts:
        return MemoryFacts({"facts": fact_table(self.store), "others": fact_table(self.store)})

    @property
    def spine_table(self) -> pa.Table:
        table = spine_table(self.spine)
        for name, place in (("K", 0), ("S", 1)):
            cells = pa.array([cut[place] for cut in self.cuts], pa.int64()).cast(INSTANT)
            table = table.append_column(name, cells)
        return table

    def manifest(self) -> Manifest:
        known, system = (instant(cut) if isinstance(cut, int) else cut for cut in (self.known, self.system))
        # What came out matters to a rebuild, not here: any column of the name will do.
        table = self.spine_table
        for name in self.source.outputs:
            table = table.append_column(name, pa.nulls(table.num_rows))
        return manifest_of(
            table,
            name="table",
            kind="features",
            code_version="1",
            sources=[self.source],
            known_at=known,
            system_at=system,
        )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rows = draw(fact_rows())
    by_key: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        by_key.setdefault(key(row), []).append(row)
    roles = draw(st.sampled_from((("held", "stated", "withdrawn"), ("stated", "held"))))
    role = {version: draw(st.sampled_from(roles)) for version in by_key}
    split: dict[str, list[Row]] = {"held": [], "stated": [], "withdrawn": []}
    for version, deliveries in by_key.items():
        for number, row in enumerate(deliveries):
            # A later delivery of what is held may come with the restatement.
            again = role[version] == "held" and number > 0 and draw(st.booleans())
            split["stated" if again else role[version]].append(row)
    spine = draw(spine_rows())
    spine += [{"time": at, "entity": who, "other": who, "label": 0} for who in ENTITIES for at in (3, 7)]
    cut_rows = [(draw(rarely(instants)), draw(rarely(instants))) for _ in spine]
    source = PinnedSource(
        dataset="facts",
        columns=OUTPUTS,
        spine_keys=(draw(st.sampled_from(("entity", "other"))),),
        ttl=draw(rarely(spans.map(span))),
        delay=span(draw(rarely(spans)) or 0),
        reason=draw(st.none() | st.just("why")),
    )
    return Case(
        **split,
        spine=spine,
        source=source,
        known=draw(st.sampled_from((None, "K", 3, 7))),
        system=draw(st.sampled_from((None, None, "S", 3, 7))),
        published=draw(st.booleans()),
        cuts=cut_rows,
    )


def rarely(given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), st.none(), st.none(), given)


def span(microseconds: int) -> timedelta:
    return timedelta(microseconds=microseconds)


def key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("entity", "event_time", "knowledge_time", "revision_seq"))


def same_row(row: Row) -> tuple[Any, ...]:
    return (*key(row), row["ingested_at"])


def slow(case: Case, move: Move) -> list[Row]:
    """Answer every row from all facts without the restatement, and from all facts with it."""
    held = [row for row in case.store if not isinstance(case.system, int) or row["ingested_at"] <= case.system]
    stated, withdrawn = ({same_row(row) for row in rows} for rows in (case.stated, case.withdrawn))
    before = [row for row in held if same_row(row) not in stated]
    before += [row for row in case.withdrawn if same_row(row) not in {same_row(one) for one in before}]
    after = [row for row in before if same_row(row) not in withdrawn]
    new = [row for row in case.stated if key(row) not in {key(one) for one in after}]
    found = []
    for position, row in enumerate(case.spine):
        asked = row | {"K": case.cuts[position][0], "S": case.cuts[position][1]}
        delay = case.source.delay // timedelta(microseconds=1)
        known, system = oracle.cuts_of(asked, delay, case.known, case.system)
        entity = row[(case.source.spine_keys or ("entity",))[0]]

        def about(rows: Sequence[Row], entity: Any = entity) -> list[Row]:
            return [fact for fact in rows if fact["entity"] == entity and entity is not None]

        seen = about(new) if move == "knowledge" else oracle.visible(about(new), known, None)
        sides = (
            oracle.visible(about(before), known, system),
            [*oracle.visible(about(after), known, system), *seen],
        )
        if move == "value":
            sides = sides[0], corrected(sides[1], oracle.visible(about(new), None, None))
        answers = [answer(case.source, rows, row["time"]) for rows in sides]
        found += [
            {"position": position, "column": name, "before": answers[0][name], "after": answers[1][name]}
            for name in case.source.outputs
            if repr(answers[0][name]) != repr(answers[1][name])
        ]
    return sorted(found, key=lambda cell: (case.source.outputs.index(cell["column"]), cell["position"]))


def corrected(rows: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """Let the winner of each fact say what the newest restated version says, unless it is newer itself."""
    found = []
    for row in oracle.winners(rows, LAST, None):
        restated = [one for one in new if key(one)[:2] == key(row)[:2] and key(one)[2:] >= key(row)[2:]]
        found.append(max(restated, key=key) if restated else row)
    return found


def answer(source: PinnedSource, rows: Sequence[Row], at: int) -> Row:
    ttl = None if source.ttl is None else source.ttl // timedelta(microseconds=1)
    fact = oracle.as_of(rows, at, LAST, None, ttl)
    cells = {name: fact[0][column] if fact else None for name, column in source.columns.items()}
    return cells | ({} if source.reason is None else {source.reason: oracle.why_null(rows, at, LAST, None, ttl)})


@given(case=cases(), move=st.sampled_from(("value", "knowledge", "system")))
def test_blast_radius_is_its_slow_twins(case: Case, move: Move) -> None:
    radius = blast_radius(case.restatement, [case.manifest()], case.reader, move=move, datasets=DATASETS)
    expected = slow(case, move)
    found = radius.changes
    assert list(zip(found["position"].to_pylist(), found["column"].to_pylist(), strict=True)) == [
        (cell["position"], cell["column"]) for cell in expected
    ]
    for cell, row in zip(expected, found.to_pylist(), strict=True):
        assert row["how"] == "differs"
        for side in ("before", "after"):
            assert (row[side] is None) == (cell[side] is None)
            if cell["column"] in ("said", "why"):
                assert row[side] == cell[side]
            if cell["column"] == "value" and cell[side] is not None:
                assert repr(float(row[side])) == repr(cell[side])
    assert pc.sum(radius.counts["differ"]).as_py() == len(expected)
    event("something differs" if expected else "nothing differs")


# Signals: derived from features of two tables, row by row and across all entities of a time.


@st.composite
def chains(draw: st.DrawFn) -> tuple[Case, list[Manifest]]:
    """A case, its table, and signals on top of it: each row's own, a rank across entities, and one on those."""
    case = draw(cases())
    case = replace(case, known=None, system=None, source=case.source.model_copy(update={"reason": None}))
    features = case.manifest()
    times = [(who, at) for at in (3, 7) for who in ENTITIES] + draw(
        st.lists(st.tuples(st.sampled_from((*ENTITIES, "unknown")), st.integers(0, 7)), max_size=3)
    )
    own = signal_manifest("own", times, [Input(manifest="table", column="value")], ("entity", "time"))
    rank = signal_manifest("rank", times, [Input(manifest="table", column="value")], ("time",))
    both = [Input(manifest="own", column="signal"), Input(manifest="rank", column="signal")]
    return case, [signal_manifest("both", times, both, ("entity", "time")), own, features, rank]


def signal_manifest(name: str, rows: list[tuple[str, int]], inputs: list[Input], on: tuple[str, ...]) -> Manifest:
    table = pa.table(
        {
            "entity": [entity for entity, _ in rows],
            "time": pa.array([time for _, time in rows], pa.int64()).cast(INSTANT),
            "signal": pa.nulls(len(rows), pa.int64()),
        }
    )
    derived = [DerivedColumn(name="signal", inputs=tuple(inputs), on=on)]
    return manifest_of(table, name=name, kind="signals", code_version="1", derived=derived)


def told(column: str, on: tuple[str, ...]) -> Any:
    """Make a signal that counts, hashes and so depends on every input row that agrees with it, and on no other."""

    def derive(spine: pa.Table, inputs: Any) -> pa.Table:
        rows = [
            sorted(
                repr(row[column])
                for table in inputs.values()
                for row in table.to_pylist()
                if all(row[name] == asked[name] for name in on)
            )
            for asked in spine.to_pylist()
        ]
        return pa.table({"signal": pa.array([crc32(repr(cells).encode()) for cells in rows], pa.int64())})

    return derive


DERIVE = {
    "own": told("value", ("entity", "time")),
    "rank": told("value", ("time",)),
    "both": told("signal", ("entity", "time")),
}


@few
@given(chain=chains())
def test_signals_made_again_differ_where_whole_tables_do(chain: tuple[Case, list[Manifest]]) -> None:
    case, manifests = chain
    radius = blast_radius(case.restatement, manifests, case.reader, move="system", derive=DERIVE, datasets=DATASETS)
    whole = {
        side: signals(manifests, MemoryFacts({"facts": fact_table(rows), "others": fact_table(case.store)}))
        for side, rows in sides(case).items()
    }
    for name in ("own", "rank", "both"):
        before, after = (whole[side][name]["signal"].to_pylist() for side in ("before", "after"))
        differ = [place for place, (b, a) in enumerate(zip(before, after, strict=True)) if b != a]
        found = radius.of(name)
        assert found["position"].to_pylist() == differ
        assert found["before"].to_pylist() == [str(before[place]) for place in differ]
        assert found["after"].to_pylist() == [str(after[place]) for place in differ]
        event(f"{name}: {'something' if differ else 'nothing'} differs")


def sides(case: Case) -> dict[str, list[Row]]:
    """Return the whole store without the restatement, and with it; rows keep their knowledge cuts."""
    stated, withdrawn = ({same_row(row) for row in rows} for rows in (case.stated, case.withdrawn))
    before = [row for row in [*case.held, *case.withdrawn] if same_row(row) not in stated]
    after = [row for row in before if same_row(row) not in withdrawn]
    there = {key(row) for row in after}
    return {"before": before, "after": after + [row for row in case.stated if key(row) not in there]}


def signals(manifests: list[Manifest], reader: MemoryFacts) -> dict[str, pa.Table]:
    named = {manifest.name: manifest for manifest in manifests}
    shop = Workshop(reader=reader, datasets=DATASETS, manifests=named, derive=DERIVE)
    return {name: shop.make(named[name]) for name in DERIVE}


@few
@given(chain=chains(), move=st.sampled_from(("value", "knowledge", "system")))
def test_signals_not_made_again_depend_on_the_rows_that_differ(chain: tuple[Case, list[Manifest]], move: Move) -> None:
    case, manifests = chain
    radius = blast_radius(case.restatement, manifests, case.reader, move=move, datasets=DATASETS)
    shop = Workshop(reader=case.reader, manifests={manifest.name: manifest for manifest in manifests})
    table = radius.of("table").to_pylist()
    touched = {(row["entity"], row["time"]) for row in table if row["column"] == "value"}
    # The rows of the table are named by `entity`, whichever column its source looked at.
    for name, on_entity in (("own", True), ("rank", False), ("both", False)):
        spine = shop.spine(shop.manifests[name]).to_pylist()
        times = {time for _, time in touched}
        expected = [
            place
            for place, row in enumerate(spine)
            if ((row["entity"], row["time"]) in touched if on_entity else row["time"] in times)
        ]
        assert radius.of(name)["position"].to_pylist() == expected
        assert set(radius.of(name)["how"].to_pylist()) <= {"depends"}
