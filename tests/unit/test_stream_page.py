"""The page of the streams is what the declarations say today."""

from __future__ import annotations

import doctest
import importlib

import pytest

from local.stream_page import PATH, page
from vintner.messaging.records import fields_of
from vintner.messaging.streams import STREAMS, Stream


def _section(stream: Stream) -> str:
    sections = page().split("\n## ")
    [found] = [section for section in sections if section.startswith(f"`{stream.name}`\n")]
    return found


def test_the_page_is_as_it_would_be_written_now() -> None:
    assert PATH.read_text(encoding="utf-8") == page(), "run `python -m local.stream_page`"


@pytest.mark.parametrize("stream", STREAMS.values(), ids=list(STREAMS))
def test_a_stream_is_told_whole(stream: Stream) -> None:
    told = _section(stream)
    for said in (stream.doc, f"at least {stream.retention_hours} hours", str(stream.criticality)):
        assert said in told
    for consumer in stream.consumers:
        line = next(line for line in told.splitlines() if line.startswith(f"- `{consumer.function}`"))
        assert all(f"`{produced}`" in line for produced in consumer.produces)
    rows = [line for line in told.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [field.name for field in fields_of(stream.record)]


def test_the_overview_links_to_every_section() -> None:
    for name in STREAMS:
        assert f"[`{name}`](#{name.replace('.', '')})" in page()


def test_its_examples_run() -> None:
    assert doctest.testmod(importlib.import_module("local.stream_page.page")).failed == 0
