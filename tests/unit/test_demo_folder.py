"""A user's own data: the plain layout, a layout of one's own, a shipped one; and what is said when it is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from local.demo.errors import FeedUnreadableError, FolderUnknownError, LayoutInvalidError, StoryImpossibleError
from local.demo.folder import SHIPPED, find_layout, read_feed, read_layout
from local.demo.material import gather
from local.demo.model import Feed

NOW = datetime(2026, 11, 1, tzinfo=UTC)

PRICES = """entity,event_time,knowledge_time,close
ACME,2024-01-02T21:00:00+00:00,2024-01-02T21:30:00+00:00,10.5
ACME,2024-02-01T21:00:00+00:00,2024-02-01T21:30:00+00:00,11.5
"""
SERIES = """entity,event_time,knowledge_time,revision_seq,op,value
xx.gdp,2023-09-30T00:00:00+00:00,2023-11-01T00:00:00+00:00,0,upsert,100.0
xx.gdp,2023-12-31T00:00:00+00:00,2024-02-01T00:00:00+00:00,0,upsert,101.0
xx.gdp,2023-12-31T00:00:00+00:00,2024-03-01T00:00:00+00:00,1,upsert,102.0
xx.gdp,2023-12-31T00:00:00+00:00,2027-03-01T00:00:00+00:00,2,delete,
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_csv", ".csv").replace("_toml", ".toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def read(folder: Path) -> list[Feed]:
    return [read_feed(folder, rule) for rule in find_layout(folder).feeds]


def test_files_named_after_datasets_are_enough(tmp_path: Path) -> None:
    feeds = read(write(tmp_path, prices_daily_csv=PRICES, macro_series_csv=SERIES))
    assert [(feed.dataset, feed.rows) for feed in feeds] == [("prices_daily", 2), ("macro_series", 4)]
    assert feeds[0].facts.to_pylist()[0] == {
        "entity": "ACME", "event_time": datetime(2024, 1, 2, 21, tzinfo=UTC), "revision_seq": 0, "op": "upsert",
        "knowledge_time": datetime(2024, 1, 2, 21, 30, tzinfo=UTC), "close": 10.5,
    }  # fmt: skip
    assert feeds[1].facts["op"].to_pylist()[-1] == "delete"


def test_parquet_gives_the_same_feed_as_csv(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    from_csv = read(write(tmp_path / "a", prices_daily_csv=PRICES))[0]
    (tmp_path / "b").mkdir()
    pq.write_table(from_csv.facts, tmp_path / "b" / "prices_daily.parquet")
    assert read(tmp_path / "b")[0].facts.equals(from_csv.facts)


def test_what_the_folder_lacks_is_packaged_and_its_prices_get_instruments(tmp_path: Path) -> None:
    material = gather(write(tmp_path, prices_daily_csv=PRICES, macro_series_csv=SERIES), now=NOW)
    assert {feed.dataset for feed in material.feeds} == {
        "instruments", "prices_daily", "macro_series", "index_membership", "factor_returns",
    }  # fmt: skip
    assert material.of("instruments")[0].entities == ("ACME",)
    assert material.symbols == ("ACME",)
    assert [at.isoformat() for at in material.decisions] == ["2024-01-31T22:00:00+00:00", "2024-02-29T22:00:00+00:00"]
    assert (material.macro.entity, material.macro.event.date().isoformat()) == ("xx.gdp", "2023-12-31")
    assert material.macro.known_at[0] == datetime(2024, 2, 1, tzinfo=UTC)
    assert sum(feed.rows for feed in material.of("macro_series")) == 3  # the last version is not known yet


OWN = """
version = 1
name = "mine"
packaged = ["us-instruments", "us-prices"]
[story]
entity = "m.gdp"
event = 2024-06-30
previous = 2024-03-31
measure = "growth"
[[feeds]]
file = "vintages/*.csv"
dataset = "macro_series"
source = "me"
entity = "m.{name:lower}"
event_time = { column = "quarter", end_of = "quarter", zone = "UTC" }
knowledge_time = { column = "released", at = "09:30", zone = "Europe/London", add = "1d 5m" }
values = { value = { column = "fraction", scale = 100.0, places = 1 } }
revision = "changes"
where = [{ column = "name", in = ["GDP"] }, { column = "quarter", from = 2024-01-01 }]
"""
ONE = "name,quarter,released,fraction\nGDP,2023-10-01,2024-05-01,0.5\nGDP,2024-01-01,2024-05-01,1.001\nCPI,2024-01-01,2024-05-01,9\n"  # noqa: E501
TWO = "name,quarter,released,fraction\nGDP,2024-01-01,2024-08-01,1.0011\nGDP,2024-04-01,2024-08-01,1.02\n"
THREE = "name,quarter,released,fraction\nGDP,2024-01-01,2024-11-01,1.1\n"


def test_a_layout_of_ones_own(tmp_path: Path) -> None:
    folder = write(tmp_path, vintner_toml=OWN, vintages__1_csv=ONE, vintages__2_csv=TWO, vintages__3_csv=THREE)
    (feed,) = read(folder)
    rows = [(r["event_time"].isoformat(), r["knowledge_time"].isoformat(), r["revision_seq"], r["value"])
            for r in feed.facts.to_pylist()]  # fmt: skip
    assert feed.entities == ("m.gdp",)
    assert rows == [
        ("2024-03-31T00:00:00+00:00", "2024-05-02T08:35:00+00:00", 0, 100.1),
        ("2024-03-31T00:00:00+00:00", "2024-11-02T09:35:00+00:00", 1, 110.0),  # the second file changed nothing
        ("2024-06-30T00:00:00+00:00", "2024-08-02T08:35:00+00:00", 0, 102.0),
    ]
    assert gather(folder, now=NOW).macro.measure == "growth"


def test_words_become_values_and_other_words_are_left_out(tmp_path: Path) -> None:
    layout = """
version = 1
name = "list"
[[feeds]]
file = "list.csv"
dataset = "index_membership"
source = "me"
entity = "IDX/{symbol}"
event_time = { column = "seen", zone = "UTC" }
knowledge_time = { column = "seen", zone = "UTC" }
values = { member = { column = "what", words = { added = true, removed = false } } }
"""
    rows = "symbol,seen,what\nA,2024-01-01,added\nA,2024-02-01,changed\nA,2024-03-01,removed\n"
    (feed,) = read(write(tmp_path, vintner_toml=layout, list_csv=rows))
    assert feed.facts["member"].to_pylist() == [True, False]


def test_closes_of_sessions_half_days_and_days_that_are_none(tmp_path: Path) -> None:
    layout = """
version = 1
name = "prices"
[[feeds]]
file = "p.parquet"
dataset = "prices_daily"
source = "me"
entity = "{symbol}"
event_time = { column = "day", at = "close of XNYS" }
knowledge_time = { column = "day", at = "close of XNYS", add = "30m" }
values = { close = "px" }
"""
    write(tmp_path, vintner_toml=layout)
    days = pa.array(["2019-11-29", "2019-12-02", "2019-12-01"]).cast(pa.timestamp("ns"))
    pq.write_table(pa.table({"symbol": ["A"] * 3, "day": days, "px": [1.0, 2.0, 3.0]}), tmp_path / "p.parquet")
    facts = read(tmp_path)[0].facts
    assert facts["event_time"].to_pylist() == [
        datetime(2019, 11, 29, 18, tzinfo=UTC), datetime(2019, 12, 2, 21, tzinfo=UTC), None,
    ]  # fmt: skip
    assert facts["knowledge_time"][1].as_py() == datetime(2019, 12, 2, 21, 30, tzinfo=UTC)


def test_shipped_layouts_are_valid_and_tell_folders_by_their_files(tmp_path: Path) -> None:
    layouts = {path.stem: read_layout(path) for path in SHIPPED.glob("*.toml")}
    assert "public_collection" in layouts
    for layout in layouts.values():
        assert layout.recognise
        for name in layout.recognise:
            path = tmp_path / layout.name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        assert find_layout(tmp_path / layout.name) == layout


def test_a_folder_of_nothing_known_says_what_is_looked_for(tmp_path: Path) -> None:
    write(tmp_path, notes_csv="a,b\n1,2\n")
    with pytest.raises(FolderUnknownError, match=r"prices_daily.*vintner\.toml"):
        find_layout(tmp_path)
    with pytest.raises(FolderUnknownError):
        find_layout(tmp_path / "missing")


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("version = 2", "version"),
        ('version = 1\nname = "x"\nsurprise = 1', "feeds"),
        (OWN + "surprise = 1", "feeds.0.surprise"),
        (OWN.replace("macro_series", "micro_series"), "micro_series.*not declared"),
        (OWN.replace("{ value =", "{ amount ="), "amount.*macro_series.*value"),
        (OWN.replace("1d 5m", "soon"), "is not a delay"),
        (OWN.replace("version = 1", "version = "), "line"),
    ],
)
def test_a_broken_layout_is_named_with_the_key(tmp_path: Path, broken: str, told: str) -> None:
    write(tmp_path, vintner_toml=broken)
    with pytest.raises(LayoutInvalidError, match=told):
        find_layout(tmp_path)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (PRICES.replace("+00:00", ""), "no time zone"),
        (PRICES.replace("entity,", "symbol,"), "'entity' is missing"),
        (PRICES.replace("2024-01-02T21:00:00+00:00", "yesterday"), "yesterday"),
        (PRICES.replace("10.5", "cheap"), "cheap"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_column_and_remedy(tmp_path: Path, rows: str, told: str) -> None:
    write(tmp_path, prices_daily_csv=rows)
    with pytest.raises(FeedUnreadableError, match=told) as caught:
        read(tmp_path)
    assert "prices_daily.csv" in str(caught.value)
    assert "vintner.toml" in str(caught.value)


def test_a_story_about_what_is_not_there_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, vintner_toml=OWN.replace('"m.gdp"', '"m.gnp"'), vintages__1_csv=ONE)
    with pytest.raises(StoryImpossibleError, match=r"m\.gnp"):
        gather(folder, now=NOW)


def test_the_folder_is_left_as_it_was(tmp_path: Path) -> None:
    folder = write(tmp_path, prices_daily_csv=PRICES)
    before = sorted(folder.rglob("*"))
    gather(folder, now=NOW)
    assert sorted(folder.rglob("*")) == before
