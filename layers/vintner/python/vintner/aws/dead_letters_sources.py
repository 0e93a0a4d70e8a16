"""Where dead letters are found, and the ways they go out again: S3, the lake's quarantine, Kinesis, Lambda."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import boto3
import pyarrow as pa
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pyiceberg.table import Table

from vintner.bitemporal.model import INGESTED_AT
from vintner.lake.ledger import Ledger
from vintner.lake.predicates import at_least, at_most, every
from vintner.messaging.deadletters import Answer, LetterProcessor, LetterStore, Ports, RefusedRow, Sendable
from vintner.messaging.deadletters.objects import PREFIX, before, folder_of

OVERLAP: Final = timedelta(minutes=15)
"""How far back a folder is listed again: Lambda names objects by the second, and may write them late."""

LONGEST_CALL_SECONDS: Final = 900
ROWS: Final = 1_000
"""Rows of the quarantine read at once, if one commit does not hold more."""

_TICK: Final = timedelta(microseconds=1)
_FIELDS: Final = (
    "quarantine_id", "stream", "position", "dataset", "field", "rule", "remedy", "payload", INGESTED_AT,
)  # fmt: skip
_GONE: Final = frozenset({"NoSuchKey", "404"})

HasTime = Callable[[], bool]


def account_ports(bucket: str, *, kinesis: Any = None, functions: Any = None, objects: Any = None) -> Ports:
    """Return the ways out of an account; the clients are boto3's, made from the environment when left out.

    It needs ``kinesis:PutRecords`` on the streams, ``lambda:InvokeFunction`` on the functions, ``s3:GetObject`` on the
    bucket of dead letters.
    """
    kinesis = kinesis or boto3.client("kinesis")
    patient = Config(read_timeout=LONGEST_CALL_SECONDS, retries={"total_max_attempts": 1, "mode": "standard"})
    functions = functions or boto3.client("lambda", config=patient)
    return Ports(
        put=lambda delivery: _put(kinesis, delivery),
        call=lambda function, event: _call(functions, function, event),
        read=object_reader(bucket, objects),
    )


def object_reader(bucket: str, client: Any = None) -> Callable[[str], bytes | None]:
    """Return what reads an object of a bucket by its key, None where there is none."""
    client = client or boto3.client("s3")

    def read(key: str) -> bytes | None:
        try:
            body: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return None
            raise
        return body

    return read


def take_all_objects(
    processor: LetterProcessor, store: LetterStore, bucket: str, *, has_time: HasTime, client: Any = None
) -> None:
    """Take in what Lambda has written to a bucket since the last time, folder by folder.

    Each folder has a cursor, the last key taken. It is moved after what it passes is kept; so what a run leaves, the
    next one finds.
    """
    client = client or boto3.client("s3")
    for folder in _folders(client, bucket):
        if not has_time():
            return
        cursor = f"objects {folder}"
        for keys in _new_keys(client, bucket, folder, store.cursor(cursor)):
            last = processor.take_objects(keys, has_time=has_time)
            if last is not None:
                store.move_cursor(cursor, max(last, store.cursor(cursor) or ""))
            if last != keys[-1]:
                return


def take_all_refused(processor: LetterProcessor, store: LetterStore, table: Table, *, has_time: HasTime) -> None:
    """Take in what was quarantined since the last time, commit by commit.

    The cursor is the system time of the last commit taken whole. Stamps rise strictly from commit to commit
    (:mod:`vintner.lake.ledger`), so none is passed over.
    """
    while has_time():
        told = store.cursor("quarantine")
        after = datetime.fromisoformat(told) if told else None
        rows = refused_rows(table, after)
        if not rows:
            return
        for row in rows:
            if not has_time():
                return
            processor.take_refused(row)
        store.move_cursor("quarantine", rows[-1].ingested_at.isoformat())


def refused_rows(table: Table, after: datetime | None, *, limit: int = ROWS) -> list[RefusedRow]:
    """Return the rows of whole commits after an instant, oldest first: at most so many, or the first commit's."""
    mark = Ledger.of(table, known="arrived_at").mark
    if mark is None or (after is not None and mark <= after):
        return []
    since = [] if after is None else [at_least(INGESTED_AT, after + _TICK)]
    stamps = sorted(
        table.scan(row_filter=every(since), selected_fields=(INGESTED_AT,)).to_arrow()[INGESTED_AT].to_pylist()
    )
    if not stamps:
        return []
    last = max((one for one, following in _ends(stamps) if following <= limit), default=stamps[0])
    wanted = every([*since, at_most(INGESTED_AT, last)])
    found: pa.Table = table.scan(row_filter=wanted, selected_fields=_FIELDS).to_arrow()
    ordered = found.sort_by([(INGESTED_AT, "ascending"), ("quarantine_id", "ascending")])
    return [RefusedRow(**{name: row[name] for name in _FIELDS}) for row in ordered.to_pylist()]


def _ends(stamps: list[datetime]) -> Iterator[tuple[datetime, int]]:
    """Yield each stamp with the number of rows up to its last."""
    for place, stamp in enumerate(stamps, start=1):
        if place == len(stamps) or stamps[place] != stamp:
            yield stamp, place


def _folders(client: Any, bucket: str) -> Iterator[str]:
    for mapping in _prefixes(client, bucket, PREFIX):
        yield from _prefixes(client, bucket, mapping)


def _prefixes(client: Any, bucket: str, under: str) -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=under, Delimiter="/")
    return [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", ())]


def _new_keys(client: Any, bucket: str, folder: str, cursor: str | None) -> Iterator[list[str]]:
    start = {} if cursor is None else {"StartAfter": before(cursor, OVERLAP) if folder_of(cursor) else cursor}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder, **start):
        if keys := [entry["Key"] for entry in page.get("Contents", ())]:
            yield keys


def _put(client: Any, delivery: Sendable) -> str:
    records = [{"PartitionKey": delivery.partition_key, "Data": delivery.data}]
    try:
        answer = client.put_records(StreamName=delivery.stream, Records=records)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}"
    except BotoCoreError as error:
        return f"{type(error).__name__}: {error}"
    (result,) = answer["Records"]
    return ": ".join(filter(None, (result.get("ErrorCode"), result.get("ErrorMessage"))))


def _call(client: Any, function: str, event: Mapping[str, Any]) -> Answer:
    try:
        answer = client.invoke(FunctionName=function, InvocationType="RequestResponse", Payload=json.dumps(event))
        told = json.loads(answer["Payload"].read() or b"null")
    except ClientError as error:
        described = error.response["Error"]
        return Answer(error=described["Code"], message=described.get("Message", ""), reached=False)
    except BotoCoreError as error:
        return Answer(error=type(error).__name__, message=str(error), reached=False)
    said = told if isinstance(told, dict) else {}
    if "FunctionError" in answer:
        # A function that ran out of time has a message and no type.
        return Answer(error=said.get("errorType") or answer["FunctionError"], message=said.get("errorMessage") or "")
    failures = said.get("batchItemFailures") or []
    return Answer(given_back=tuple(str(one.get("itemIdentifier") or "") for one in failures))
