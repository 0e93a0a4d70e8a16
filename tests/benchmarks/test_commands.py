"""The measuring commands at tiny sizes, and the page they make. Nothing here looks at how long anything took."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from benchmarks import as_of_join, from_parquet, growth, history, large_table, material, measure, report, vintage
from benchmarks.join_files import WrongAnswerError, hold
from benchmarks.page import BEGIN, END, PageMarkersError, write_page
from benchmarks.pit.shapes import shape_of


def options(**given: Any) -> argparse.Namespace:
    common = {"spine": 2_000, "facts": 1_000, "entities": 20, "repeats": 1, "seed": 7, "how": "memory"}
    return argparse.Namespace(**common | given)


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(material, "BUILD", tmp_path)
    return tmp_path


def test_turns_are_taken_and_the_first_round_is_not_kept() -> None:
    told: list[str] = []
    timings = measure.take_turns({"a": lambda: told.append("a"), "b": lambda: told.append("b")}, repeats=2)
    assert told == ["a", "b"] * 3
    assert [len(timing.seconds) for timing in timings.values()] == [2, 2]
    assert timings["a"].best <= timings["a"].median


def test_a_promise_is_kept_or_missed() -> None:
    assert [measure.at_most("", value, 2, "s").met for value in (1.9, 2, 2.1)] == [True, True, False]
    assert [measure.at_least("", value, 2, "s").met for value in (1.9, 2, 2.1)] == [False, True, True]


def test_memory_is_that_of_this_process() -> None:
    now, most = measure.resident_bytes()
    assert 0 < now <= most


def test_a_process_that_fails_is_told() -> None:
    with pytest.raises(measure.ChildProcessFailedError) as caught:
        measure.in_fresh_process("benchmarks.one_join", "nowhere", "--tables", "t", "--how", "never")
    assert "invalid choice" in caught.value.data["output"]


def test_the_join_is_measured_against_polars() -> None:
    found = as_of_join.measure(options())
    assert [finding.met is None for finding in found.findings[:3]] == [False, False, True]
    assert set(found.details["seconds"]) == {
        f"{who} {key}" for who in ("polars", "vintner", "vintner hard") for key in ("text", "coded")
    }


def test_history_and_vintage_are_measured() -> None:
    assert history.measure(options()).findings[-1].value > 0
    assert vintage.measure(options(series=20, events=10)).findings[-1].value == pytest.approx(200, rel=0.2)


@pytest.mark.parametrize("how", ["memory", "streamed"])
def test_files_are_joined_in_a_process_of_their_own(how: str, build: Path) -> None:
    found = from_parquet.measure(options(how=how))
    (run,) = found.details["runs"]
    assert run["rows"] == 2_000
    assert run["peak_bytes"] > run["result_bytes"]


def test_a_large_table_is_held_against_the_reference(build: Path) -> None:
    assert large_table.measure(options(limit=4.0)).findings[0].unit == "GiB"


def test_growth_is_drawn(build: Path, tmp_path: Path) -> None:
    plot = tmp_path / "growth.svg"
    found = growth.measure(options(sizes=[1_000, 4_000], plot=str(plot)))
    assert [finding.met is None for finding in found.findings] == [True, True, False]
    first = plot.read_bytes()
    assert b"n log n" in first
    growth.plot(found.details["seconds"], plot)
    assert plot.read_bytes() == first


def test_a_wrong_join_is_not_timed() -> None:
    made = material.shape(500, 50, 5, 7, table=material.HARD)
    facts, spine = material.facts_in_memory(made, "table"), material.spine_in_memory(made)
    nothing = spine.append_column("table_value", pa.nulls(spine.num_rows, pa.float64()))
    with pytest.raises(WrongAnswerError) as caught:
        hold("table", nothing, facts, "table_value")
    assert caught.value.data["wrong"] > 0


def test_a_result_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    result = measure.Result("a claim", [measure.at_most("time", 1.0, 2.0, "s")], {"seconds": [1.0]}, command="python x")
    measure.publish(result, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["findings"] == [{"what": "time", "value": 1.0, "unit": "s", "target": "at most 2", "met": True}]
    assert document["machine"]["cores"] >= 1
    measure.publish(result, as_json=False)
    assert "at most 2" in capsys.readouterr().out


MACHINE = {"cores": 2, "processor": "P", "memory_gib": 4.0, "system": "S", "python": "3"}
GROUND = {"machine": MACHINE, "versions": {"pyarrow": "1"}}
CLAIM = {
    "claim": "a claim",
    "command": "python -m benchmarks.claim",
    "findings": [{"what": "ratio", "value": 1.25, "unit": "times", "target": "at most 1", "met": False}],
    "details": {},
    **GROUND,
}
SECONDS = {"best": 0.01, "median": 0.02, "all": [0.01, 0.02]}
MATRIX = {
    "claim": "pit",
    "command": "python -m benchmarks.pit run",
    "findings": [],
    "details": {
        "data": shape_of("XS").name,
        "facts": 1000,
        "spine": 400,
        "queries": {"Q1": "as-of join", "Q8": "last 4"},
        "runs": [
            {"system": "plain", "query": "Q1", "seconds": SECONDS, "right": False, "wrong_share": 0.25},
            {"system": "plain", "query": "Q8", "reason": "no windows"},
            {"system": "true", "query": "Q1", "seconds": SECONDS, "right": True, "wrong_share": 0.0},
        ],
    },
    **GROUND,
}


def test_the_page_is_written_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    write_page(page, [CLAIM, MATRIX, {"claim": "c", "command": "python z", "error": "no disk"}])
    text = page.read_text("utf-8")
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert "| ratio | 1.25 times | at most 1 | **missed** |" in text
    assert "| Q1 as-of join | 10, **25.0% wrong** | 10 |" in text
    assert "| Q8 last 4 | (1) |  |" in text
    assert "Not measured: no disk" in text
    write_page(page, [CLAIM])
    assert "25.0%" not in page.read_text("utf-8")


def test_a_page_without_markers_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(BEGIN, encoding="utf-8")
    with pytest.raises(PageMarkersError) as caught:
        write_page(page, [])
    assert caught.value.data["marker"] == END


def test_rows_are_kept_failures_are_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run(module: str, *arguments: str) -> dict[str, Any]:
        asked.append(module)
        if module == "benchmarks.broken":
            raise measure.ChildProcessFailedError(command=module, code=1, output="a line\nno memory left")
        return dict(CLAIM)

    monkeypatch.setattr(report, "in_fresh_process", run)
    rows = [report.Row("good", "benchmarks.claim", "", ""), report.Row("bad", "benchmarks.broken", "--n 5", "")]
    quiet = Console(quiet=True)
    for expected in (["benchmarks.claim", "benchmarks.broken"], ["benchmarks.broken"]):
        asked.clear()
        assert report.run_rows(rows, "full", tmp_path, again=False, console=quiet) == ["bad"]
        assert asked == expected
    asked.clear()
    report.run_rows(rows[:1], "full", tmp_path, again=True, console=quiet)
    assert asked == ["benchmarks.claim"]
    broken = report.kept(tmp_path / "bad-full.json")
    assert (broken["error"], broken["command"]) == ("no memory left", "python -m benchmarks.broken --n 5")


def test_the_report_writes_the_page_from_what_is_kept(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n{END}", encoding="utf-8")
    (tmp_path / "vintage-small.json").write_text(json.dumps(CLAIM), encoding="utf-8")
    told = ["--write-only", "--sizes", "small", "--page", str(page), "--results", str(tmp_path)]
    assert report.main(told) == 0
    assert "a claim" in page.read_text("utf-8")
