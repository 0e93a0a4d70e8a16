"""A dropped file becomes records once, wherever its reading stops and however often its event comes."""

from __future__ import annotations

import csv
import gzip
import importlib
import io
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from tests.support.publishing import AT, Clock, RoughStream, consumed, signal
from vintner.aws.ingress.drop import DroppedObject, FileDrop, dropped_objects
from vintner.aws.ingress.errors import FileUnfinishedError
from vintner.errors import VintnerError
from vintner.messaging.errors import StreamUnavailableError, UnknownStreamError
from vintner.messaging.records import Signal, as_batch, schema_of

BUCKET = "vintner-test-drop"
ROWS = [signal(n, "ABC"[n % 3]) for n in range(23)]
KEPT = {name: [n for n in range(23) if "ABC"[n % 3] == name] for name in "ABC"}


class Bucket:
    """The part of S3 the drop uses, in memory; ``kill_at`` counts writes down to a death."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.kill_at = -1
        self.read = 0

    def get_object(self, Bucket: str, Key: str, **exactly: str) -> dict[str, Any]:  # noqa: N803 - as boto3 has it
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        self.read += Key.startswith("incoming/")
        return {"Body": io.BytesIO(self.objects[Key]), "LastModified": AT}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        self.kill_at -= 1
        if self.kill_at == 0:
            raise KilledError(message="killed")
        self.objects[Key] = Body

    def under(self, folder: str) -> list[dict[str, Any]]:
        found = [body for key, body in sorted(self.objects.items()) if key.startswith(folder)]
        return [json.loads(line) for body in found for line in body.splitlines()]


class KilledError(VintnerError):
    """Stands for the end of the process."""


def as_rows() -> list[dict[str, Any]]:
    return [
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
        for row in as_batch(ROWS, Signal).to_pylist()
    ]


def csv_file(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def json_lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def parquet_file(rows: list[Signal]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(as_batch(rows, Signal)), sink)
    return sink.getvalue()


def event_of(key: str, bucket: str = BUCKET, **more: str) -> dict[str, Any]:
    return {"Records": [{"s3": {"bucket": {"name": bucket}, "object": {"key": key, "eTag": "e1", **more}}}]}


def dropped(key: str) -> DroppedObject:
    (found,) = dropped_objects(event_of(key))
    return found


def drop_of(bucket: Bucket, stream: Any) -> FileDrop:
    clock = Clock()
    return FileDrop(
        stream, bucket=BUCKET, environment_name="test", clock=clock, client=bucket, wait=clock.wait, chunk_rows=4
    )


FORMS = {
    "a.csv": lambda: csv_file(as_rows()),
    "a b.CSV.gz": lambda: gzip.compress(csv_file(as_rows()), mtime=0),
    "a.jsonl": lambda: json_lines(as_rows()),
    "x/y.ndjson.gz": lambda: gzip.compress(json_lines(as_rows()), mtime=0),
    "a.parquet": lambda: parquet_file(ROWS),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_file_of_each_form_becomes_records(name: str) -> None:
    bucket, stream, key = Bucket(), RoughStream(), f"incoming/signals/{name}"
    bucket.objects[key] = FORMS[name]()
    report = drop_of(bucket, stream).take(dropped(key.replace(" ", "+")))
    assert report is not None
    assert (report.rows, report.accepted, report.refused, report.done) == (23, 23, 0, True)
    assert consumed(stream.batches) == KEPT
    rows = pa.Table.from_batches([batch.rows for batch in stream.batches]).sort_by("score")
    assert rows == pa.table(as_batch(ROWS, Signal))
    assert bucket.under("refused/") == []


def test_the_same_event_again_reads_nothing_and_a_lost_report_sends_the_same_numbers() -> None:
    bucket, stream, key = Bucket(), RoughStream(), "incoming/signals/a.jsonl"
    bucket.objects[key] = json_lines(as_rows())
    first = drop_of(bucket, stream).take(dropped(key))
    assert drop_of(bucket, stream).take(dropped(key)) == first
    assert bucket.read == 1
    bucket.objects = {key: bucket.objects[key]}
    drop_of(bucket, stream).take(dropped(key))
    assert bucket.read == 2
    assert consumed(stream.batches) == KEPT


@pytest.mark.parametrize("kill_at", range(1, 9))
def test_a_death_before_any_write_is_gone_on_from(kill_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vintner.aws.ingress.drop.SAVE_EVERY", 2)
    bucket, stream, key = Bucket(), RoughStream(), "incoming/signals/a.jsonl"
    rows = as_rows()
    for n in (1, 9, 20):
        rows[n]["score"] = "high"
    bucket.objects[key] = json_lines(rows)
    bucket.kill_at = kill_at
    for _ in range(2):
        try:
            report = drop_of(bucket, stream).take(dropped(key))
        except KilledError:
            continue
        assert report is not None
        assert (report.rows, report.accepted, report.refused, report.done) == (23, 20, 3, True)
    assert consumed(stream.batches) == {
        name: [n for n in numbers if n not in (1, 9, 20)] for name, numbers in KEPT.items()
    }
    assert [one["row"] for one in bucket.under("refused/")] == [1, 9, 20]


def test_time_that_is_over_lays_a_file_down_and_the_next_call_goes_on() -> None:
    bucket, stream, key = Bucket(), RoughStream(), "incoming/signals/a.csv"
    bucket.objects[key] = csv_file(as_rows())
    calls = 0
    while True:
        calls += 1
        try:
            report = drop_of(bucket, stream).take(dropped(key), in_time=lambda: False)
        except FileUnfinishedError as error:
            assert error.rows == min(4 * calls, 23)  # noqa: PT017 - it is raised until all is done
            continue
        break
    assert report is not None
    assert (report.done, report.accepted, calls) == (True, 23, 7)
    assert len(stream.accepted) == len(consumed_once := {(b.lane, b.first) for b in stream.batches})
    assert len(consumed_once) > 6
    assert consumed(stream.batches) == KEPT


def test_a_stream_that_is_away_fails_the_call_and_the_next_one_goes_on() -> None:
    bucket, stream, key = Bucket(), RoughStream(["ok", *["away"] * 60]), "incoming/signals/a.csv"
    bucket.objects[key] = csv_file(as_rows())
    with pytest.raises(StreamUnavailableError):
        drop_of(bucket, stream).take(dropped(key))
    stream.fates = iter(())
    drop_of(bucket, stream).take(dropped(key))
    assert consumed(stream.batches) == KEPT


def refused_of(name: str, data: bytes) -> tuple[list[dict[str, Any]], int]:
    bucket, stream, key = Bucket(), RoughStream(), f"incoming/signals/{name}"
    bucket.objects[key] = data
    report = drop_of(bucket, stream).take(dropped(key))
    assert report is not None
    assert report.done
    return bucket.under("refused/"), report.accepted


GOOD = json_lines(as_rows()[:6])


@pytest.mark.parametrize(
    ("name", "data", "row", "rule", "accepted"),
    [
        ("a.jsonl", GOOD + b"nonsense\n", 6, "malformed bytes", 6),
        ("a.jsonl", b"\xff\n" + GOOD, 0, "malformed bytes", 6),
        ("a.jsonl", b'"' + b"x" * 2_000_000 + b'"\n' + GOOD, 0, "oversized record", 6),
        ("a.jsonl", GOOD + b'{"signal_id": NaN}', 6, "wrong type, not text", 6),
        ("a.csv", csv_file(as_rows()[:6]) + b"1,2\r\n", 6, "wrong number of values", 6),
        ("a.csv", csv_file([{**as_rows()[0], "model": "\u00e9"}]).decode().encode("latin-1"), 0, "not UTF-8", 0),
        ("a.csv", csv_file([{**as_rows()[0], "score": "high"}]), 0, "wrong type, not a number", 0),
        ("a.csv", csv_file([{**as_rows()[0], "score": "nan"}]), 0, "not a finite number", 0),
        ("a.csv", csv_file([{**as_rows()[0], "colour": "red"}]), 0, "unknown field", 0),
        ("a.csv", csv_file(as_rows()[:6]) + b'"cut', 6, "malformed bytes", 6),
        ("a.jsonl.gz", gzip.compress(GOOD, mtime=0)[:-9], 5, "malformed bytes", 5),
        ("a.jsonl.gz", GOOD, 0, "malformed bytes", 0),
        ("a.parquet", parquet_file(ROWS)[:-9], 0, "malformed bytes", 0),
        ("a.xlsx", b"", 0, "unknown form", 0),
        ("a.parquet.gz", b"", 0, "unknown form", 0),
    ],
)
def test_what_cannot_be_read_is_kept_beside_with_its_row_and_reason(
    name: str, data: bytes, row: int, rule: str, accepted: int
) -> None:
    (refused,), kept = refused_of(name, data)
    assert (refused["row"], refused["rule"], kept) == (row, rule, accepted)
    assert refused["remedy"]


def test_a_refused_row_is_kept_whole() -> None:
    row = {**as_rows()[0], "score": "high"}
    (refused,), _ = refused_of("a.csv", csv_file([row]))
    assert refused["payload"] == {name: str(value) for name, value in row.items()}


def test_a_line_that_cannot_be_read_is_kept_as_text() -> None:
    (refused,), _ = refused_of("a.jsonl", b"non\xffsense\n" + GOOD)
    assert refused["payload"] == "non\\xffsense\n"


def test_binary_fractions_of_a_parquet_file_are_the_decimals_they_stand_for() -> None:
    row = {
        "venue": "v", "symbol": "s", "trade_id": 1, "price": 61837.63, "size": 0.1,
        "event_time": datetime(2026, 1, 5, tzinfo=UTC),
    }  # fmt: skip
    sink, sent = io.BytesIO(), []
    pq.write_table(pa.Table.from_pylist([row]), sink)

    def put(stream: str, entries: Any) -> list[None]:
        sent.extend(entries)
        return [None] * len(entries)

    bucket = Bucket()
    bucket.objects["incoming/market_data.trades/a.parquet"] = sink.getvalue()
    report = drop_of(bucket, put).take(dropped("incoming/market_data.trades/a.parquet"))
    assert report is not None
    assert (report.accepted, report.refused, len(sent)) == (1, 0, 1)


@pytest.mark.parametrize(
    "key",
    ["refused/incoming/signals/a.csv", "progress/x/y", "incoming/a.csv", "incoming/signals/", "other/signals/a.csv"],
)
def test_objects_elsewhere_are_not_taken(key: str) -> None:
    assert list(dropped_objects(event_of(key))) == []


def test_only_streams_that_are_open_take_files() -> None:
    with pytest.raises(UnknownStreamError):
        drop_of(Bucket(), RoughStream()).take(dropped("incoming/market_data.bars/a.csv"))


def test_who_publishes_is_named_after_the_bytes_and_their_place() -> None:
    def name(**more: str) -> str:
        (found,) = dropped_objects(event_of("incoming/signals/a.csv", **more))
        return found.producer

    assert name() == name()
    assert len({name(), name(versionId="2"), name(eTag="e2")}) == 3
    assert dropped("incoming/signals/b.csv").producer != name()


def test_the_function_takes_an_event_of_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in {
        "POWERTOOLS_SERVICE_NAME": "file-drop", "POWERTOOLS_METRICS_NAMESPACE": "Vintner",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(variable, value)
    handler = importlib.import_module("functions.file_drop.handler")
    bucket, stream = Bucket(), RoughStream()
    bucket.objects["incoming/signals/a.jsonl"] = GOOD
    monkeypatch.setattr(handler, "drop", lambda: drop_of(bucket, stream))
    context = SimpleNamespace(
        function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:f", aws_request_id="a",
        get_remaining_time_in_millis=lambda: 60_000,
    )  # fmt: skip
    event = event_of("incoming/signals/a.jsonl")
    event["Records"] += event_of("refused/signals/a.jsonl")["Records"]
    event["Records"] += event_of("incoming/signals/a.jsonl", bucket="another")["Records"]
    answer = handler.handler(event, context)
    assert [(one["rows"], one["done"]) for one in answer["files"]] == [(6, True)]
    assert schema_of(Signal).names == list(as_rows()[0])
