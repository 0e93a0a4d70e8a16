"""The generated files of ``athena/`` are what the generator writes today."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from infra.named_queries import read_named_queries
from infra.paths import NAMED_QUERIES
from local.saved_reads import SavedRead, saved_reads, views, write_saved_reads
from vintner.features.views import EQUITY_DAILY

ATHENA = NAMED_QUERIES.parent


@pytest.mark.parametrize("read", saved_reads(), ids=lambda read: read.path)
def test_a_generated_file_is_as_it_would_be_written_now(read: SavedRead) -> None:
    assert (ATHENA / read.path).read_text(encoding="utf-8") == read.content, "run `make sql`"


def test_every_prepared_statement_is_generated() -> None:
    generated = {read.path for read in saved_reads()}
    assert {f"prepared/{path.name}" for path in (ATHENA / "prepared").glob("*.sql")} <= generated


def test_a_file_says_that_it_is_written_exactly_when_it_is() -> None:
    generated = {read.path for read in saved_reads()}
    for path in ATHENA.rglob("*.sql"):
        written = "-- Written by `make sql`" in path.read_text(encoding="utf-8")
        assert written == (path.relative_to(ATHENA).as_posix() in generated), path


def test_the_files_are_written_where_they_are_read(tmp_path: Path) -> None:
    for folder in ("prepared", "named_queries"):
        (tmp_path / folder).mkdir()
    written = write_saved_reads(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [read.path for read in saved_reads()]
    assert {query.name for query in read_named_queries(tmp_path / "prepared")} >= {"as_of", "vintage"}


def test_descriptions_name_the_parameters_in_order() -> None:
    (replay,) = (read for read in saved_reads() if read.name == "as_of_replay")
    assert replay.content.splitlines()[1].endswith(
        "Parameters: entity, known at (UTC), system cut (UTC), event cut (UTC), days to live, event cut (UTC) again."
    )


def test_the_query_of_a_view_has_each_feature_from_its_dataset() -> None:
    text = views.view_read(EQUITY_DAILY).text
    for feature in EQUITY_DAILY.features:
        assert f"FROM {feature.dataset.name}\n" in text
        assert f".{feature.name}" in text
    assert "'SP500/' || s.symbol AS sp500_member_entity" in text


def test_the_examples_are_true() -> None:
    assert doctest.testmod(views).failed == 0
