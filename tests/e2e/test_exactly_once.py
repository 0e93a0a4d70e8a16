"""Nothing lost, nothing doubled: handlers killed at every write, workers and the ground ended while data streams."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
from pyiceberg.catalog import Catalog

from local.ground import Deployment, Ground
from local.ground.config import PROJECT
from tests.support.judging import version_key
from vintner.aws.catalog import open_catalog
from vintner.aws.settings import Settings
from vintner.aws.streams import KinesisPut
from vintner.lake import LakeReader, load_table
from vintner.marketdata import MACRO_SERIES
from vintner.messaging import Envelope, Producer, StreamUnavailableError, encode

START = datetime(2000, 1, 1, tzinfo=UTC)
SENT = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def catalog(environment: None) -> Catalog:
    return open_catalog(Settings.from_environment())


def record(series: str, number: int, value: float = 0.5) -> dict[str, Any]:
    event = START + timedelta(days=number)
    return {
        "entity": series,
        "event_time": event.isoformat(),
        "knowledge_time": (event + timedelta(days=1)).isoformat(),
        "values": {"value": number + value},
    }


def facts_of(catalog: Catalog, platform: Deployment, prefix: str) -> list[dict[str, Any]]:
    rows = LakeReader(catalog, platform.glue_database).read(MACRO_SERIES).to_pylist()
    return [row for row in rows if row["entity"].startswith(prefix)]


def refused_of(catalog: Catalog, platform: Deployment, mark: str) -> list[dict[str, Any]]:
    rows = load_table(catalog, platform.glue_database, "quarantine").scan().to_arrow().to_pylist()
    return [row for row in rows if mark in row["payload"]]


def items_of(ground: Ground, platform: Deployment, entity: str) -> int:
    answer = ground.client("dynamodb").query(
        TableName=platform.online_table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"macro_series#{entity}"}},
        Select="COUNT",
    )
    return int(answer["Count"])


class HandlerProcess:
    """The macro processor in processes of our own, with the environment its template gives it."""

    def __init__(self, ground: Ground, platform: Deployment) -> None:
        function = ground.client("lambda").get_function_configuration(FunctionName=platform.macro_function)
        variables = {**ground.environment(), **function["Environment"]["Variables"], "PYTHONPATH": str(PROJECT)}
        command = [sys.executable, "-m", "tests.support.handler_process", "functions/macro_data_processor"]
        self._process = subprocess.Popen(
            command, cwd=PROJECT, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def handle(self, event: dict[str, Any], kill_before: int | None) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"event": event, "kill_before": kill_before}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate(timeout=30)


def kinesis_event(platform: Deployment, sequence: int, *data: bytes) -> dict[str, Any]:
    arn = f"arn:aws:kinesis:{platform.region}:{platform.account}:stream/{platform.macro_stream}"
    return {
        "Records": [
            {
                "eventID": f"shardId-killed:{sequence + number}",
                "eventSourceARN": arn,
                "kinesis": {
                    "sequenceNumber": str(sequence + number),
                    "data": base64.b64encode(one).decode(),
                    "approximateArrivalTimestamp": SENT.timestamp(),
                },
            }
            for number, one in enumerate(data)
        ]
    }


def test_a_handler_killed_before_any_of_its_writes(ground: Ground, platform: Deployment, catalog: Catalog) -> None:
    """A fact table and the quarantine, each with its files and its pointer, then the online store."""
    process = HandlerProcess(ground, platform)
    kill_before, killed = 0, True
    while killed:
        kill_before += 1
        mark = f"killed-{kill_before:02d}"
        macro = [record(f"{mark}.a", 1), record(f"{mark}.b", 2), record(f"{mark}.a", 1), {"entity": mark}]
        envelope = Envelope(dataset="macro_series", source="e2e", producer="e2e", sent_at=SENT, records=macro)
        event = kinesis_event(platform, kill_before * 10, encode(envelope))
        killed = process.handle(event, kill_before)["killed"]
        assert not process.handle(event, None)["failed"]
    process.close()
    marks = [f"killed-{number:02d}" for number in range(1, kill_before + 1)]
    facts = Counter(row["entity"] for row in facts_of(catalog, platform, "killed-"))
    assert facts == {f"{mark}.{name}": 1 for mark in marks for name in "ab"}
    refused = Counter(row["entity"] for row in refused_of(catalog, platform, "killed-"))
    assert refused == dict.fromkeys(marks, 1)
    assert {items_of(ground, platform, entity) for entity in facts} == {1}
    assert kill_before > 10, "two tables of five writes each, and the online store"


@contextmanager
def killing(folder: Path, function: str) -> Iterator[Callable[[], int]]:
    """Kill the function's workers again and again; give the number killed so far."""
    done, killed = threading.Event(), []

    def hunt() -> None:
        while not done.wait(0.7):
            for pid in workers(folder, function):
                killed.append(pid)
                os.kill(pid, signal.SIGKILL)

    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        yield lambda: len(killed)
    finally:
        done.set()
        hunter.join()


def workers(folder: Path, function: str) -> list[int]:
    """Return the processes that run a function on the ground."""
    listed = subprocess.run(
        ["ps", "-e", "-ww", "-o", "pid=", "-o", "args="], capture_output=True, text=True, check=True
    ).stdout
    mine = (line.split(maxsplit=1) for line in listed.splitlines() if f"{folder}/ministack-lambda-{function}-" in line)
    return [int(pid) for pid, _ in mine]


def test_workers_killed_and_the_ground_restarted_while_data_streams(
    ground: Ground, platform: Deployment, catalog: Catalog
) -> None:
    """Sends 6,000 facts, 300 of them twice and 60 broken, while nothing that could fail is left alone."""
    good = [record(f"streamed.{number % 40:02d}", number) for number in range(6000)]
    duplicates = good[::20]
    broken = [{**record("streamed.bad", number), "event_time": None} for number in range(60)]
    chunks = [good[start : start + 200] for start in range(0, 6000, 200)] + [duplicates, broken]

    producer = Producer(KinesisPut(ground.client("kinesis")), platform.macro_stream, name="e2e", batch=50)
    with killing(ground.config.work_dir, platform.macro_function) as killed:
        for number, chunk in enumerate(chunks):
            send(producer, chunk)
            time.sleep(0.1)
            if number == len(chunks) // 2:
                ground.stop()
                ground.start()
        deadline = time.monotonic() + 20
        while killed() < 5 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert killed() >= 5
    wait_until(lambda: len(facts_of(catalog, platform, "streamed.")) >= 6000, "every fact is in the lake")
    wait_until(lambda: len(refused_of(catalog, platform, "streamed.bad")) >= 60, "every broken record is quarantined")
    facts = facts_of(catalog, platform, "streamed.")
    assert len(facts) == len({version_key(row) for row in facts}) == 6000
    assert sum(row["value"] for row in facts) == sum(number + 0.5 for number in range(6000))
    assert len(refused_of(catalog, platform, "streamed.bad")) == 60
    wait_until(lambda: items_of(ground, platform, "streamed.00") == 150, "every version is online")


def send(producer: Producer, chunk: list[dict[str, Any]]) -> None:
    """Send until it is accepted: an answer that is lost is asked for again, and arrives twice."""
    for _ in range(20):
        try:
            producer.send("macro_series", "e2e", chunk, sent_at=SENT)
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, StreamUnavailableError):
            time.sleep(0.5)
        else:
            return
    pytest.fail("the stream never came back")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.5)


def test_the_ground_killed_keeps_every_committed_row(ground: Ground, platform: Deployment, catalog: Catalog) -> None:
    ground.stop()
    ground.start()  # what is deployed is on disk from here on
    producer = Producer(KinesisPut(ground.client("kinesis")), platform.macro_stream, name="e2e")
    for start in (0, 300, 600):
        send(producer, [record(f"power.{number % 7}", start + number) for number in range(300)])
    wait_until(lambda: len(facts_of(catalog, platform, "power.")) == 900, "every fact is in the lake")
    before = sorted(version_key(row) for row in facts_of(catalog, platform, ""))
    ground.kill()
    ground.start()
    register = [sys.executable, "-m", "local", "register", "--state-dir", str(ground.config.state_dir)]
    subprocess.run(register, cwd=PROJECT, check=True, capture_output=True, timeout=120)
    assert sorted(version_key(row) for row in facts_of(catalog, platform, "")) == before
    assert items_of(ground, platform, "power.0") == sum(1 for key in before if key[0] == "power.0")
