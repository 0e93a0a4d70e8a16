"""Files dropped into a bucket become records of a stream, once, however often their event comes.

1.  An object ``incoming/{stream}/…`` is read in chunks. Good rows are published; each refused row is written, whole and
    with the reason, to ``refused/{same path}/{producer}/{first row}.jsonl``, before the chunk counts as done.
2.  Who publishes is named after the object's bucket, key, version and ETag, and rows are numbered in their order. So a
    file that is read again from any place sends the same records under the same numbers, and consumers recognise them.
3.  Now and then, and at the end, what was done is written to ``progress/{same path}/{producer}.json``: the rows, and
    the next number of each lane. A later call with the same event goes on from there, or, where it is done, does
    nothing.

The dropped object itself is never changed, moved or removed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote_plus

import boto3
from botocore.exceptions import ClientError

from vintner.aws.ingress.errors import FileUnfinishedError
from vintner.aws.ingress.files import CHUNK_ROWS, chunks_of
from vintner.aws.ingress.reading import RefusedRow, open_stream, read_rows
from vintner.lake.errors import FactError
from vintner.messaging.delivery_lanes import PutRecords
from vintner.messaging.publisher import Publisher
from vintner.messaging.streams import Stream

INCOMING: Final = "incoming/"
SAVE_EVERY: Final = 10
"""Chunks after which what was done is written down."""


@dataclass(frozen=True, slots=True)
class DroppedObject:
    """One version of an object."""

    bucket: str
    key: str
    version: str
    etag: str

    @property
    def producer(self) -> str:
        """Who publishes its records: the same for the same bytes in the same place, and for nothing else."""
        identity = "\n".join((self.bucket, self.key, self.version, self.etag))
        return f"file/{hashlib.sha256(identity.encode()).hexdigest()[:32]}"

    @property
    def stream(self) -> str:
        """The stream its key names, or nothing."""
        name, _, rest = self.key.removeprefix(INCOMING).partition("/")
        return name if self.key.startswith(INCOMING) and rest and not rest.endswith("/") else ""

    def beside(self, folder: str) -> str:
        """Return where what belongs to it lies."""
        return f"{folder}/{self.key.removeprefix(INCOMING)}/{self.producer.removeprefix('file/')}"


@dataclass(slots=True)
class DropReport:
    """What became of a file, so far: rows read, records accepted, rows refused, and the next number of each lane."""

    key: str
    producer: str
    rows: int = 0
    chunks: int = 0
    accepted: int = 0
    refused: int = 0
    done: bool = False
    sequences: dict[int, int] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "sequences": {str(lane): number for lane, number in self.sequences.items()}}


def dropped_objects(event: Mapping[str, Any]) -> Iterator[DroppedObject]:
    """Yield the objects of an S3 event that lie under ``incoming/{stream}/``."""
    for record in event.get("Records", ()):
        told = record["s3"]
        one = told["object"]
        dropped = DroppedObject(
            told["bucket"]["name"], unquote_plus(one["key"]), one.get("versionId", ""), one.get("eTag", "")
        )
        if dropped.stream:
            yield dropped


class FileDrop:
    """Takes dropped files.

    Parameters
    ----------
    put
        How deliveries reach a stream.
    bucket
        The bucket whose files are taken, and where progress and refused rows are written.
    environment_name
        Of the deployment.
    clock
        Tells the present.
    client
        A boto3 S3 client; made from the environment when left out.
    wait
        Waits so many seconds.
    chunk_rows
        Rows read, published and written about at once.
    """

    def __init__(
        self,
        put: PutRecords,
        *,
        bucket: str,
        environment_name: str,
        clock: Callable[[], datetime],
        client: Any = None,
        wait: Callable[[float], None] = time.sleep,
        chunk_rows: int = CHUNK_ROWS,
    ) -> None:
        self._put = put
        self._bucket = bucket
        self._environment = environment_name
        self._clock = clock
        self._s3 = client or boto3.client("s3")
        self._wait = wait
        self._chunk_rows = chunk_rows

    def take(self, dropped: DroppedObject, *, in_time: Callable[[], bool] = lambda: True) -> DropReport | None:
        """Publish a file's records; return what became of them, None where the file is in another bucket.

        Raises
        ------
        UnknownStreamError
            The key names no stream that takes records from outside.
        FileUnfinishedError
            ``in_time`` said that time is over. What was done is written down.
        StreamUnavailableError, StreamRefusedError
            The stream is away; call again.
        """
        if dropped.bucket != self._bucket:
            return None
        stream = open_stream(dropped.stream)
        report = self._begun(dropped)
        if report.done:
            return report
        found = self._s3.get_object(Bucket=self._bucket, Key=dropped.key, **_exactly(dropped))
        publisher = self._publisher(stream, report)
        chunks, text = self._chunks(dropped.key, found["Body"], report.rows)
        for chunk in chunks:
            self._take_chunk(dropped, stream, publisher, chunk, report, text=text, received_at=found["LastModified"])
            if not in_time():
                self._save(dropped, publisher, report)
                raise FileUnfinishedError(key=dropped.key, rows=report.rows)
            if report.chunks % SAVE_EVERY == 0:
                self._save(dropped, publisher, report)
        report.done = True
        self._save(dropped, publisher, report)
        return report

    def _publisher(self, stream: Stream, report: DropReport) -> Publisher:
        return Publisher(
            self._put, stream, producer=report.producer, environment_name=self._environment, clock=self._clock,
            wait=self._wait, sequences=report.sequences,
        )  # fmt: skip

    def _chunks(self, key: str, body: Any, skip: int) -> tuple[Iterator[list[Any]], bool]:
        """Return the rows that were not done before, in chunks, and whether their values are all text."""
        try:
            return chunks_of(key, body, rows=self._chunk_rows, skip=skip)
        except FactError as error:
            return iter([[error]]), False

    def _take_chunk(
        self, dropped: DroppedObject, stream: Stream, publisher: Publisher, chunk: list[Any], report: DropReport,
        *, text: bool, received_at: datetime,
    ) -> None:  # fmt: skip
        read = read_rows(stream.record, chunk, received_at=received_at, text=text)
        if read.refused:
            lines = [_line(one, report.rows, chunk[one.index]) for one in read.refused]
            self._write(f"{dropped.beside('refused')}/{report.rows:012d}.jsonl", "".join(lines))
        report.accepted += read.rows.num_rows
        publisher.publish(read.rows)
        report.rows += len(chunk)
        report.chunks += 1
        report.refused += len(read.refused)

    def _save(self, dropped: DroppedObject, publisher: Publisher, report: DropReport) -> None:
        """Write down what was done, after everything of it was accepted."""
        publisher.flush()
        report.sequences = publisher.sequences
        self._write(f"{dropped.beside('progress')}.json", json.dumps(report.document))

    def _begun(self, dropped: DroppedObject) -> DropReport:
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=f"{dropped.beside('progress')}.json")
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
                raise
            return DropReport(dropped.key, dropped.producer)
        told = json.loads(found["Body"].read())
        told["sequences"] = {int(lane): number for lane, number in told["sequences"].items()}
        return DropReport(**told)

    def _write(self, key: str, text: str) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=text.encode())


def _exactly(dropped: DroppedObject) -> dict[str, str]:
    """The version the event was about, where the bucket keeps versions; else the bytes, or none at all."""
    return {"VersionId": dropped.version} if dropped.version else {"IfMatch": dropped.etag} if dropped.etag else {}


def _line(one: RefusedRow, before: int, row: Any) -> str:
    """Return a refused row as a line: its number in the file, the reason, and the row as it was."""
    payload = row.data.get("payload") if isinstance(row, FactError) else row
    told = {"row": before + one.index, "field": one.field, "rule": one.rule, "remedy": one.remedy, "payload": payload}
    return json.dumps(told, default=str) + "\n"
