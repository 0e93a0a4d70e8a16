"""What every online store must do. A subclass says how to make one, and inherits the tests.

Facts of one test are kept apart from those of another by a fresh entity, so one store may serve them all.
"""

from __future__ import annotations

import math
import struct
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from vintner.bitemporal.model import MAX_REVISION, NaiveTimeError
from vintner.features.errors import ConflictingVersionsError, OnlineKeyError, OnlineRowError
from vintner.features.online import OnlineStore
from vintner.lake.model import Column, Dataset, Layout

EVERY_TYPE = Dataset(
    name="every_type",
    doc="One column of every type a store must keep exactly.",
    stream="market_data",
    columns=(
        Column(name="value", type=pa.float64(), doc="A double."),
        Column(name="count", type=pa.int64(), doc="An integer."),
        Column(name="flag", type=pa.bool_(), doc="A truth value."),
        Column(name="text", type=pa.string(), doc="A text."),
        Column(name="seen_at", type=pa.timestamp("us", tz="UTC"), doc="An instant."),
        Column(name="day", type=pa.date32(), doc="A date."),
        Column(name="price", type=pa.decimal128(38, 9), doc="A decimal."),
        Column(name="raw", type=pa.binary(), doc="Bytes."),
    ),
    layout=Layout.YEAR_OF_EVENT,
)
OTHER = Dataset(
    name="other", doc="Another.", stream="market_data", columns=EVERY_TYPE.columns, layout=Layout.YEAR_OF_EVENT
)

PAIRS = Dataset(
    name="pairs",
    doc="Facts about a name and a number.",
    stream="market_data",
    keys=(
        Column(name="name", type=pa.string(), doc="A text."),
        Column(name="number", type=pa.int64(), doc="A number."),
    ),
    columns=(Column(name="count", type=pa.int64(), doc="An integer."),),
    layout=Layout.YEAR_OF_EVENT,
)
NAMES = replace(
    PAIRS,
    name="names",
    keys=(Column(name="one", type=pa.string(), doc="A text."), Column(name="two", type=pa.string(), doc="A text.")),
)
"""A dataset whose entities have two texts for a name, so that one could be taken for another."""

FAR = datetime(9999, 1, 1, tzinfo=UTC)

DOUBLES = [
    0.1 + 0.2,
    1e-320,
    5e-324,
    1.7976931348623157e308,
    -1.7976931348623157e308,
    2.2250738585072014e-308,
    -0.0,
    0.0,
    1 / 3,
    1e22,
    9007199254740993.0,
    math.inf,
    -math.inf,
    math.nan,
    struct.unpack(">d", bytes.fromhex("fff8000000000abc"))[0],
]


def bits(value: float) -> bytes:
    return struct.pack(">d", value)


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number, hours=hour)


def row(
    entity: str, event: datetime, known: datetime, seq: int = 0, op: str = "upsert", **values: Any
) -> dict[str, Any]:
    clocks = {"entity": entity, "event_time": event, "knowledge_time": known, "revision_seq": seq, "op": op}
    return clocks | {"ingested_at": known, "source": "test", "record_id": "s/0/1/0"} | values


def _clocks(event: datetime, known: datetime) -> dict[str, Any]:
    clocks = {"event_time": event, "knowledge_time": known, "revision_seq": 0, "op": "upsert", "ingested_at": known}
    return clocks | {"source": "test", "record_id": "s/0/1/0"}


def table(rows: Sequence[Mapping[str, Any]], dataset: Dataset = EVERY_TYPE) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=dataset.schema)


class OnlineStoreContract:
    """The behaviour suite of :class:`vintner.features.online.OnlineStore`."""

    @pytest.fixture
    def store(self) -> OnlineStore:
        pytest.fail("a subclass names the store it tries")

    @pytest.fixture
    def entity(self) -> str:
        return f"e-{uuid.uuid4()}"

    def read(self, store: OnlineStore, entity: str, at: datetime = FAR, known_at: datetime = FAR) -> Any:
        return store.latest(EVERY_TYPE, entity, at=at, known_at=known_at)

    def test_unknown_entity_has_no_answer(self, store: OnlineStore, entity: str) -> None:
        assert self.read(store, entity) is None

    def test_answer_has_clocks_in_utc_and_every_declared_value(self, store: OnlineStore, entity: str) -> None:
        new_york = datetime.fromisoformat("2024-05-02T16:05:00.000001-04:00")
        assert store.put(EVERY_TYPE, table([row(entity, day(0), new_york, 3, value=1.5)])) == 1
        answer = self.read(store, entity)
        nothing = dict.fromkeys(("count", "flag", "text", "seen_at", "day", "price", "raw"))
        clocks = {"entity": entity, "event_time": day(0), "knowledge_time": new_york, "revision_seq": 3}
        assert dict(answer) == clocks | nothing | {"value": 1.5}
        assert answer["knowledge_time"].utcoffset() == timedelta(0)

    @pytest.mark.parametrize("value", DOUBLES, ids=lambda v: f"{v!r}-{bits(v).hex()}")
    def test_doubles_come_back_bit_for_bit(self, store: OnlineStore, entity: str, value: float) -> None:
        store.put(EVERY_TYPE, table([row(entity, day(0), day(1), value=value)]))
        assert bits(self.read(store, entity)["value"]) == bits(value)

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("count", 2**63 - 1),
            ("count", -(2**63)),
            ("count", 0),
            ("flag", True),
            ("flag", False),
            ("text", ""),
            ("text", "Ærø #~ \u0000 🍷"),
            ("seen_at", datetime(1901, 2, 3, 4, 5, 6, 7, tzinfo=UTC)),
            ("day", date(1969, 12, 31)),
            ("price", Decimal("-12345678901234567890123456789.123456789")),
            ("price", Decimal("1.500000000")),
            ("raw", b""),
            ("raw", bytes(range(256))),
        ],
    )
    def test_other_types_come_back_equal(self, store: OnlineStore, entity: str, column: str, value: object) -> None:
        store.put(EVERY_TYPE, table([row(entity, day(0), day(1)) | {column: value}]))
        answer = self.read(store, entity)[column]
        assert (answer, type(answer), str(answer)) == (value, type(value), str(value))

    def test_null_is_not_absent(self, store: OnlineStore, entity: str) -> None:
        rows = table([row(entity, day(0), day(1), value=None, text="x")])
        store.put(EVERY_TYPE, rows.drop_columns(["count"]))
        answer = self.read(store, entity)
        assert answer["value"] is None
        assert "count" not in answer

    @pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 4, 0, 3, 1)])
    def test_worked_example_in_any_order(self, store: OnlineStore, entity: str, order: Sequence[int]) -> None:
        first, second = datetime(2024, 3, 31, tzinfo=UTC), datetime(2024, 6, 30, tzinfo=UTC)
        known = [
            datetime.fromisoformat(f"2024-{text}:00Z")
            for text in ("05-02T20:05", "08-01T20:05", "08-20T12:00", "09-10T09:00", "09-12T09:00")
        ]
        rows = [
            row(entity, first, known[0], 0, value=2.00),
            row(entity, second, known[1], 0, value=2.30),
            row(entity, first, known[2], 1, value=1.80),
            row(entity, second, known[3], 1, op="delete"),
            row(entity, second, known[4], 2, value=2.25),
        ]
        for position in order:
            store.put(EVERY_TYPE, table([rows[position]]))

        def value(at: str, known_at: str | None = None) -> float | None:
            cuts = [datetime.fromisoformat(f"2024-{text}Z") for text in (at, known_at or at)]
            answer = self.read(store, entity, *cuts)
            return None if answer is None else answer["value"]

        assert value("05-02T20:04:59.999999") is None
        assert value("05-02T20:05:00") == 2.00
        assert value("08-25T00:00:00") == 2.30
        assert value("06-15T00:00:00", "08-25T00:00:00") == 1.80
        assert value("06-15T00:00:00", "08-10T00:00:00") == 2.00
        assert value("06-30T00:00:00", "08-10T00:00:00") == 2.30
        assert value("09-11T00:00:00") == 1.80
        assert value("09-13T00:00:00") == 2.25

    def test_same_instants_are_decided_by_revision(self, store: OnlineStore, entity: str) -> None:
        store.put(EVERY_TYPE, table([row(entity, day(0), day(1), seq, count=seq) for seq in (2, 10, 9)]))
        assert self.read(store, entity)["count"] == 10

    def test_events_before_1970_keep_their_order(self, store: OnlineStore, entity: str) -> None:
        events = [datetime(year, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) for year in (1899, 1968, 1969)]
        store.put(EVERY_TYPE, table([row(entity, event, event, count=event.year) for event in events]))
        assert self.read(store, entity)["count"] == 1969
        assert self.read(store, entity, at=events[1])["count"] == 1968
        assert self.read(store, entity, at=events[1] - timedelta(microseconds=1))["count"] == 1899

    def test_long_histories_are_read_through(self, store: OnlineStore, entity: str) -> None:
        """More versions and more tombstones than any page holds lie between the question and its answer."""
        revisions = [row(entity, day(9), day(10, hour), 0, count=hour) for hour in range(120)]
        withdrawn = [row(entity, day(-n), day(11), 1, op="delete") for n in range(60)]
        oldest = [row(entity, day(-100), day(-99), 0, count=-1)]
        assert store.put(EVERY_TYPE, table(revisions + withdrawn + oldest)) == 181
        assert self.read(store, entity)["count"] == 119
        assert self.read(store, entity, known_at=day(10, 3))["count"] == 3
        assert self.read(store, entity, known_at=day(9))["count"] == -1
        assert self.read(store, entity, at=day(8), known_at=day(30))["count"] == -1

    def test_repeats_change_nothing(self, store: OnlineStore, entity: str) -> None:
        rows = table([row(entity, day(n), day(n + 1), count=n, value=math.nan) for n in range(30)])
        assert store.put(EVERY_TYPE, pa.concat_tables([rows, rows])) == 30
        assert store.put(EVERY_TYPE, rows) == 30
        assert self.read(store, entity)["count"] == 29

    def test_redelivery_differs_in_lineage_only(self, store: OnlineStore, entity: str) -> None:
        first = row(entity, day(0), day(1), value=1.0)
        again = first | {"ingested_at": day(5), "record_id": "s/0/2/0"}
        assert store.put(EVERY_TYPE, table([first, again])) == 1

    def test_entities_and_datasets_do_not_meet(self, store: OnlineStore, entity: str) -> None:
        store.put(EVERY_TYPE, table([row(f"{entity}#x", day(0), day(1), count=1)]))
        store.put(OTHER, table([row(entity, day(0), day(1), count=2)]))
        assert self.read(store, entity) is None
        assert self.read(store, f"{entity}#x")["count"] == 1

    def test_an_entity_of_several_keys_is_named_by_all_of_them(self, store: OnlineStore, entity: str) -> None:
        rows = [{"name": entity, "number": n, "count": 10 * n} | _clocks(day(n), day(n)) for n in (-1, 0, 1, 11)]
        assert store.put(PAIRS, table(rows, PAIRS)) == 4
        assert [store.latest(PAIRS, (entity, n), at=FAR, known_at=FAR) for n in (-1, 1)] == [
            {"name": entity, "number": n, "event_time": day(n), "knowledge_time": day(n), "revision_seq": 0}
            | {"count": 10 * n}
            for n in (-1, 1)
        ]
        assert store.latest(PAIRS, (entity, 2), at=FAR, known_at=FAR) is None
        assert store.latest(PAIRS, (entity, 11), at=day(10), known_at=FAR) is None

    def test_entities_whose_names_join_to_the_same_text_do_not_meet(self, store: OnlineStore, entity: str) -> None:
        names = [(f"{entity}#b", "c"), (entity, "b#c"), (entity, "b%23c"), (f"{entity}%23b", "c"), (entity, "")]
        rows = [
            {"one": one, "two": two, "count": count} | _clocks(day(0), day(0)) for count, (one, two) in enumerate(names)
        ]
        assert store.put(NAMES, table(rows, NAMES)) == len(names)
        found = [store.latest(NAMES, name, at=FAR, known_at=FAR) for name in names]
        assert [(one["one"], one["two"], one["count"]) for one in found if one] == [
            (*name, count) for count, name in enumerate(names)
        ]

    @pytest.mark.parametrize("key", ["e", ("e",), ("e", "1"), ("e", True), (1, 1), ("e", None), ("e", 1, 1)])
    def test_what_names_no_entity_is_refused(self, store: OnlineStore, key: Any) -> None:
        with pytest.raises(OnlineKeyError, match="name \\(string\\), number \\(int64\\)"):
            store.latest(PAIRS, key, at=FAR, known_at=FAR)

    def test_no_rows_are_no_versions(self, store: OnlineStore) -> None:
        assert store.put(EVERY_TYPE, EVERY_TYPE.schema.empty_table()) == 0

    @pytest.mark.parametrize(("first", "second"), [(0.0, -0.0), (1.0, None), (1.0, 1.0000000000000002)])
    def test_conflicting_versions_are_refused_whole(
        self, store: OnlineStore, entity: str, first: float | None, second: float | None
    ) -> None:
        rows = [row(entity, day(5), day(6)), row(entity, day(0), day(1), value=first)]
        with pytest.raises(ConflictingVersionsError) as caught:
            store.put(EVERY_TYPE, table([*rows, row(entity, day(0), day(1), value=second)]))
        assert caught.value.entity == entity
        assert self.read(store, entity) is None

    @pytest.mark.parametrize(
        ("field", "value"), [("revision_seq", -1), ("revision_seq", MAX_REVISION + 1), ("op", "update")]
    )
    def test_bad_rows_are_refused_by_name(self, store: OnlineStore, entity: str, field: str, value: object) -> None:
        bad = row(entity, day(0), day(1)) | {field: value}
        with pytest.raises(OnlineRowError) as caught:
            store.put(EVERY_TYPE, table([row(entity, day(2), day(3)), bad]))
        assert (caught.value.field, caught.value.position) == (field, 1)
        assert self.read(store, entity) is None

    def test_missing_clocks_are_refused_by_name(self, store: OnlineStore, entity: str) -> None:
        rows = table([row(entity, day(0), day(1))])
        with pytest.raises(OnlineRowError) as caught:
            store.put(EVERY_TYPE, rows.drop_columns(["knowledge_time"]))
        assert caught.value.field == "knowledge_time"

    @pytest.mark.parametrize("field", ["at", "known_at"])
    def test_naive_times_are_refused_by_name(self, store: OnlineStore, entity: str, field: str) -> None:
        cuts = {"at": FAR, "known_at": FAR} | {field: FAR.replace(tzinfo=None)}
        with pytest.raises(NaiveTimeError) as caught:
            store.latest(EVERY_TYPE, entity, **cuts)
        assert caught.value.data["field"] == field
