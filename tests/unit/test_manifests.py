"""Manifests: frozen, strict, the same after JSON; tables made again from them; the radius of one restatement."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.support.fact_reader import MemoryFacts
from vintner.bitemporal import INSTANT, FactSource, VersionConflictError, as_of_join
from vintner.bitemporal.content import content_of
from vintner.features import EQUITY_DAILY, feature_table, with_entity_keys
from vintner.features.provenance import (
    DerivedColumn,
    InlineRows,
    Input,
    Manifest,
    ManifestCycleError,
    ManifestInvalidError,
    NotRebuildableError,
    PinnedRowsChangedError,
    PinnedSource,
    RebuildDiffersError,
    Restatement,
    StoredRows,
    blast_radius,
    manifest_of,
    pinned_sources,
    rebuild,
    restatement_between,
)
from vintner.features.provenance.model import At, FromColumn, PinnedResult, Snapshot, Tag
from vintner.lake import Column, Dataset, Layout
from vintner.marketdata import DATASETS, MACRO_SERIES

# entity, event, known, seq, op, value: the worked example of the bitemporal rules, and another entity.
ACME = (
    ("ACME", "2024-03-31", "2024-05-02T20:05", 0, "upsert", 2.00),
    ("ACME", "2024-06-30", "2024-08-01T20:05", 0, "upsert", 2.30),
    ("ACME", "2024-03-31", "2024-08-20T12:00", 1, "upsert", 1.80),
    ("ACME", "2024-06-30", "2024-09-10T09:00", 1, "delete", None),
    ("ACME", "2024-06-30", "2024-09-12T09:00", 2, "upsert", 2.25),
    ("EMCA", "2024-03-31", "2024-05-02T20:05", 0, "upsert", 7.00),
)
TIMES = ("2024-05-02T20:04", "2024-05-02T20:05", "2024-08-25", "2024-09-11", "2024-09-13")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def facts(*rows: tuple[Any, ...], written: str | None = None) -> pa.Table:
    entity, event, known, seq, op, value = zip(*rows, strict=True)
    table = {
        "entity": list(entity), "event_time": [at(one) for one in event], "knowledge_time": [at(one) for one in known],
        "revision_seq": list(seq), "op": list(op), "ingested_at": [at(written or one) for one in known],
        "value": list(value), "source": ["test"] * len(rows), "record_id": ["s/0/0/0"] * len(rows),
    }  # fmt: skip
    return pa.table(table).cast(MACRO_SERIES.schema)


def spine() -> pa.Table:
    rows = [(entity, at(time)) for time in TIMES for entity in ("ACME", "EMCA")]
    return pa.table({"entity": [row[0] for row in rows], "time": pa.array([row[1] for row in rows], INSTANT)})


SOURCE = PinnedSource(dataset="macro_series", columns={"eps": "value"}, reason="why")


@pytest.fixture
def reader() -> MemoryFacts:
    return MemoryFacts({"macro_series": facts(*ACME)}, revisions={"first": {"macro_series": facts(*ACME[:2])}})


def made(reader: MemoryFacts) -> pa.Table:
    source = FactSource(facts=reader.tables["macro_series"], columns={"eps": "value"}, reason="why")
    return as_of_join(spine(), [source])


def pinned(reader: MemoryFacts, **changes: Any) -> Manifest:
    return manifest_of(made(reader), **({"name": "eps", "kind": "features", "code_version": "abc",
                                         "sources": [SOURCE]} | changes))  # fmt: skip


def test_a_table_is_made_again_from_its_json(reader: MemoryFacts) -> None:
    again = Manifest.model_validate_json(pinned(reader).model_dump_json())
    assert again == pinned(reader)
    assert again.id == pinned(reader).id
    assert rebuild(again, reader).equals(made(reader))


def test_the_rows_may_lie_in_a_file(reader: MemoryFacts, tmp_path: Path) -> None:
    path = tmp_path / "spine.parquet"
    pq.write_table(spine(), path, row_group_size=3)
    manifest = pinned(reader, stored_at=str(path))
    assert isinstance(manifest.spine, StoredRows)
    assert rebuild(manifest, reader).equals(made(reader))
    with pa.ipc.new_file(tmp_path / "spine.arrow", spine().schema) as writer:
        writer.write_table(spine())
    assert rebuild(pinned(reader, stored_at=(tmp_path / "spine.arrow").as_uri()), reader).equals(made(reader))
    pq.write_table(spine().slice(1), path)
    with pytest.raises(PinnedRowsChangedError) as changed:
        rebuild(manifest, reader)
    assert (changed.value.rows, changed.value.found_rows) == (10, 9)


def test_a_manifest_never_changes_and_knows_its_fields(reader: MemoryFacts) -> None:
    manifest = pinned(reader)
    with pytest.raises(ValidationError):
        manifest.name = "other"
    with pytest.raises(TypeError):
        manifest.sources[0].columns["eps"] = "other"  # type: ignore[index]
    told = json.loads(manifest.model_dump_json())
    told["sources"][0]["tll"] = "P1D"
    with pytest.raises(ValidationError, match="tll"):
        Manifest.model_validate(told)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sources": [SOURCE, SOURCE]}, "columns"),
        ({"sources": []}, "columns"),
    ],
)
def test_columns_must_be_there_once(reader: MemoryFacts, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ManifestInvalidError) as refused:
        pinned(reader, **changes)
    assert refused.value.field == field


def test_a_later_backfill_is_found_by_column_and_row(reader: MemoryFacts) -> None:
    manifest = pinned(reader)
    late = ("ACME", "2024-06-30", "2024-08-02", 0, "upsert", 2.31)
    reader.tables = {"macro_series": facts(*ACME, late)}
    with pytest.raises(RebuildDiffersError) as differs:
        rebuild(manifest, reader)
    assert (differs.value.column, differs.value.rows) == ("eps", "rows 4 to 7")
    with pytest.raises(RebuildDiffersError) as differs:
        rebuild(manifest, reader, original=made(MemoryFacts({"macro_series": facts(*ACME)})))
    assert (differs.value.column, differs.value.rows) == ("eps", "row 4")
    assert "2.31" in differs.value.difference
    assert "2.3" in differs.value.difference


def test_a_system_cut_or_a_revision_keeps_a_backfill_out(reader: MemoryFacts) -> None:
    cut = pinned(reader, system_at=at("2024-10-01"))
    tagged = pinned(reader, sources=[SOURCE.model_copy(update={"revision": Tag(tag="now")})])
    late = facts(("ACME", "2024-06-30", "2024-08-02", 0, "upsert", 2.31), written="2024-11-01")
    before = reader.tables["macro_series"]
    reader.revisions = {"now": {"macro_series": before}}
    reader.tables = {"macro_series": pa.concat_tables([before, late])}
    assert rebuild(cut, reader).equals(made(MemoryFacts({"macro_series": before})))
    assert rebuild(tagged, reader).equals(made(MemoryFacts({"macro_series": before})))


def test_a_feature_view_is_pinned_and_made_again() -> None:
    reader = MemoryFacts({name: dataset.schema.empty_table() for name, dataset in DATASETS.items()})
    reader.tables = {**reader.tables, "macro_series": facts(("uk.gdpkp", "2024-03-31", "2024-05-02", 0, "upsert", 1.5))}
    table = feature_table(EQUITY_DAILY, spine(), reader)
    assert table["uk_gdp"].to_pylist()[2:] == [1.5] * 8
    manifest = manifest_of(
        with_entity_keys(EQUITY_DAILY, table), name="daily", kind="features", code_version="1",
        sources=pinned_sources(EQUITY_DAILY),
    )  # fmt: skip
    assert rebuild(manifest, reader).select(table.column_names).equals(table)


def test_what_is_not_at_hand_is_named(reader: MemoryFacts) -> None:
    manifest = pinned(reader, sources=[SOURCE.model_copy(update={"dataset": "tea_leaves"})])
    with pytest.raises(NotRebuildableError) as missing:
        rebuild(manifest, reader)
    assert missing.value.name == "tea_leaves"
    signals = signal_manifest("signals", "eps", "eps")
    with pytest.raises(NotRebuildableError) as missing:
        rebuild(signals, reader, manifests=[pinned(reader)])
    assert "derive={'signals'" in str(missing.value)
    with pytest.raises(NotRebuildableError) as missing:
        rebuild(signals, reader, derive={"signals": halved})
    assert missing.value.name == "eps"
    with pytest.raises(ManifestInvalidError):
        blast_radius(restated(1.9), [pinned(reader), signal_manifest("signals", "eps", "esp")], reader)


def signal_manifest(name: str, of: str, column: str) -> Manifest:
    table = spine().append_column("signal", pa.array([None] * 10, pa.float64()))
    derived = [DerivedColumn(name="signal", inputs=(Input(manifest=of, column=column),))]
    return manifest_of(table, name=name, kind="signals", code_version="1", derived=derived)


def halved(rows: pa.Table, inputs: Any) -> pa.Table:
    (table,) = inputs.values()
    known = {(r["entity"], r["time"]): r["eps"] for r in table.to_pylist()}
    values = [known[r["entity"], r["time"]] for r in rows.to_pylist()]
    return pa.table({"signal": pa.array([None if v is None else v / 2 for v in values], pa.float64())})


def test_signals_are_made_again_from_what_they_derive_from(reader: MemoryFacts) -> None:
    values = halved(spine(), {"eps": made(reader)})
    derived = [DerivedColumn(name="signal", inputs=(Input(manifest="eps", column="eps"),))]
    table = spine().append_column("signal", values["signal"])
    manifest = manifest_of(table, name="half", kind="signals", code_version="1", derived=derived)
    assert rebuild(manifest, reader, manifests=[pinned(reader)], derive={"half": halved}).equals(table)


def restated(value: float, *, known: str = "2024-10-01", event: str = "2024-03-31", seq: int = 2) -> Restatement:
    return Restatement(
        dataset="macro_series", stated=facts(("ACME", event, known, seq, "upsert", value), written="2024-10-01")
    )


def test_a_restatement_reaches_the_rows_that_would_have_seen_it(reader: MemoryFacts) -> None:
    manifests = [pinned(reader), signal_manifest("half", "eps", "eps"), signal_manifest("late", "half", "signal")]
    radius = blast_radius(restated(1.9), manifests, reader, move="knowledge")
    # Q1 is the newest quarter before it was even published, while Q2 is withdrawn, and when Q2 is not yet out.
    assert radius.of("eps").select(["position", "entity", "column", "before", "after"]).to_pylist() == [
        {"position": 0, "entity": "ACME", "column": "eps", "before": None, "after": "1.9"},
        {"position": 2, "entity": "ACME", "column": "eps", "before": "2", "after": "1.9"},
        {"position": 6, "entity": "ACME", "column": "eps", "before": "1.8", "after": "1.9"},
        {"position": 0, "entity": "ACME", "column": "why", "before": "never_known", "after": None},
    ]
    assert radius.of("half")["position"].to_pylist() == [0, 2, 6]
    assert radius.of("late")["how"].to_pylist() == ["depends"] * 3
    counts = {(row["manifest"], row["column"]): row for row in radius.counts.to_pylist()}
    assert counts["eps", "eps"]["asked"] == 5
    assert counts["eps", "eps"]["largest_move"] == pytest.approx(0.1)
    assert counts["half", "signal"]["depend"] == 3
    assert str(radius) == (
        "macro_series, 1 version of 1 entity: 3 of 3 tables differ\n"
        "  features eps.eps: 3 of 10 rows differ, by 0.1 on average and 0.1 at most (5.56%)\n"
        "  features eps.why: 1 of 10 rows differ\n"
        "  signals half.signal: 3 of 10 rows depend on rows that differ\n"
        "  signals late.signal: 3 of 10 rows depend on rows that differ"
    )


def test_with_their_knowledge_cuts_kept_rows_before_the_restatement_stay(reader: MemoryFacts) -> None:
    later = blast_radius(restated(1.9), [pinned(reader)], reader, move="system")
    assert later.clean
    assert str(later) == "macro_series, 1 version of 1 entity: no row of 1 tables differs"
    backfill = blast_radius(
        restated(1.9, known="2024-08-21"), [pinned(reader, system_at=at("2024-09-30"))], reader, move="system"
    )
    assert backfill.changes["position"].to_pylist() == [6]


def test_it_makes_no_difference_whether_the_restatement_is_there_already(reader: MemoryFacts) -> None:
    manifest, there = pinned(reader), restated(1.9)
    before = blast_radius(there, [manifest], reader)
    reader.tables = {"macro_series": pa.concat_tables([reader.tables["macro_series"], there.stated])}
    assert blast_radius(there, [manifest], reader).changes.equals(before.changes)


def test_two_revisions_are_compared_by_what_they_state(reader: MemoryFacts) -> None:
    reader.revisions = {**reader.revisions, "second": {"macro_series": facts(*ACME, written="2024-12-01")}}
    restatement = restatement_between(MACRO_SERIES, reader, before="first", after="second")
    assert restatement.stated["value"].to_pylist() == [1.80, None, 2.25, 7.00]
    assert restatement.withdrawn is None
    back = restatement_between(MACRO_SERIES, reader, before="second", after="first")
    assert back.stated.num_rows == 0
    assert back.withdrawn is not None
    reader.tables = reader.revisions["second"]
    radius = blast_radius(back, [pinned(reader)], reader)
    values = [row for row in radius.changes.to_pylist() if row["column"] == "eps"]
    assert {row["position"]: row["after"] for row in values} == {
        3: None, 5: None, 6: "2.3", 7: None, 8: "2.3", 9: None
    }  # fmt: skip


def test_a_contradiction_is_refused(reader: MemoryFacts) -> None:
    contradicts = Restatement(
        dataset="macro_series", stated=facts(("ACME", "2024-03-31", "2024-05-02T20:05", 0, "upsert", 2.01))
    )
    with pytest.raises(VersionConflictError):
        blast_radius(contradicts, [pinned(reader)], reader)


def test_a_circle_is_refused(reader: MemoryFacts) -> None:
    circle = [signal_manifest("one", "two", "signal"), signal_manifest("two", "one", "signal")]
    with pytest.raises(ManifestCycleError) as refused:
        blast_radius(restated(1.9), circle, reader)
    assert "one" in refused.value.circle
    with pytest.raises(ManifestInvalidError):
        blast_radius(restated(1.9), [pinned(reader), signal_manifest("eps", "one", "signal")], reader)


QUOTES = Dataset(
    name="quotes", doc="Quotes by venue.", stream="none", layout=Layout.WHOLE,
    keys=(Column(name="symbol", type=pa.string(), doc=""), Column(name="venue", type=pa.int32(), doc="")),
    columns=(Column(name="bid", type=pa.decimal128(9, 2), doc=""),),
)  # fmt: skip


def test_several_keys_and_only_the_rows_in_question(reader: MemoryFacts) -> None:
    days = [at("2024-01-01") + timedelta(days=n) for n in range(20)]
    rows = [(s, v, day) for s in ("A", "B") for v in (1, 2) for day in days]
    columns = {
        "symbol": [r[0] for r in rows], "venue": [r[1] for r in rows], "event_time": [r[2] for r in rows],
        "knowledge_time": [r[2] for r in rows], "revision_seq": [0] * 80, "op": ["upsert"] * 80,
        "ingested_at": [r[2] for r in rows], "bid": [f"{n}.50" for n in range(80)], "source": ["t"] * 80,
        "record_id": ["r"] * 80,
    }  # fmt: skip
    table = pa.table(columns)
    table = table.set_column(7, "bid", table["bid"].cast(pa.decimal128(9, 2))).cast(QUOTES.schema)
    quotes = MemoryFacts({"quotes": table})
    asked = pa.table({"symbol": columns["symbol"], "place": columns["venue"], "time": table["event_time"]})
    source = PinnedSource(dataset="quotes", columns={"bid": "bid"}, keys=("symbol", "venue"),
                          spine_keys=("symbol", "place"), ttl=timedelta(days=3))  # fmt: skip
    made = as_of_join(asked, [FactSource(facts=table, columns={"bid": "bid"}, keys=source.keys,
                                         spine_keys=source.spine_keys)])  # fmt: skip
    manifest = manifest_of(made, name="bids", kind="training", code_version="1", sources=[source])
    assert rebuild(manifest, quotes, datasets={"quotes": QUOTES}).equals(made)
    new = table.slice(25, 1).set_column(3, table.schema.field(3), pa.array([days[-1]], INSTANT))
    new = new.set_column(7, table.schema.field(7), pa.array(["0.25"]).cast(pa.decimal128(9, 2)))
    radius = blast_radius(
        Restatement(dataset="quotes", stated=new, keys=("symbol", "venue")), [manifest], quotes,
        datasets={"quotes": QUOTES},
    )  # fmt: skip
    assert radius.changes.select(["position", "entity", "before", "after", "move"]).to_pylist() == [
        {"position": 25, "entity": "A/2", "before": "25.50", "after": "0.25", "move": -25.25}
    ]
    assert quotes.rows_read == 80 + 20  # the rebuild reads all, the radius one entity
    assert radius.counts["asked"].to_pylist() == [4]  # one symbol, one venue, up to the ttl


@given(
    ttl=st.none() | st.timedeltas(min_value=timedelta(0)),
    delay=st.timedeltas(min_value=timedelta(0)),
    cut=st.none() | st.builds(At, at=st.datetimes(timezones=st.just(UTC))) | st.builds(FromColumn, column=st.text()),
    revision=st.none() | st.builds(Tag, tag=st.text()) | st.builds(Snapshot, snapshot=st.integers()),
    columns=st.dictionaries(st.text(min_size=1), st.text(), min_size=1, max_size=4),
)
def test_json_keeps_every_bit(ttl: Any, delay: Any, cut: Any, revision: Any, columns: dict[str, str]) -> None:
    table = pa.table({name: [1] for name in columns})
    manifest = Manifest(
        name="a", kind="training", code_version="1", spine=InlineRows.of(spine()), known_at=cut, system_at=cut,
        sources=(PinnedSource(dataset="d", columns=columns, ttl=ttl, delay=delay, revision=revision),),
        result=PinnedResult.of(content_of(table)),
    )  # fmt: skip
    again = Manifest.model_validate_json(manifest.model_dump_json())
    assert again == manifest
    assert list(again.sources[0].columns) == list(columns)
    assert again.id == manifest.id
