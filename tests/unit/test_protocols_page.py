"""The page on protocols shows commands that exist, and its example runs against a broker."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import socket
import struct
import threading
from typing import Any

import pytest

from edge import __main__ as edge
from local.ground.config import PROJECT
from tests.support.publishing import AT, RoughStream, consumed
from vintner.aws.ingress.files import chunks_of
from vintner.aws.ingress.reading import OPEN

PAGE = (PROJECT / "docs" / "protocols.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def example() -> Any:
    spec = importlib.util.spec_from_file_location("mqtt_signals", PROJECT / "docs" / "examples" / "mqtt_signals.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_of_the_edge_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    shown = re.findall(r"^\.venv/bin/python -m edge (.*)$", PAGE, re.MULTILINE)
    assert len(shown) == 3
    for command in shown:
        assert edge._parser().parse_args(shlex.split(command)).run in (edge.listen, edge.play)


def test_what_it_says_of_http_is_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "http-ingest")  # read where it is imported for the first time
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Vintner")
    handler = importlib.import_module("functions.http_ingest.handler")
    (operation,) = handler.OPERATIONS
    assert f"`{operation.method} {operation.path}`" in PAGE
    for status in operation.problems:
        assert str(status) in PAGE
    for media in handler.describe()["paths"][operation.path]["post"]["requestBody"]["content"]:
        assert f"`{media}`" in PAGE


def test_what_it_says_of_files_is_so() -> None:
    said = re.search(r"^(`\.csv`.*)$", PAGE, re.MULTILINE)
    assert said is not None
    for ending in set(re.findall(r"`(\.\w+)`", said[1])) - {".gz"}:
        chunks_of(f"a{ending}", None)
    assert set(re.findall(r"incoming/([\w.]+)/", PAGE)) <= set(OPEN)


class Broker:
    """Enough of an MQTT broker: sends each payload with QoS 1, the next after the acknowledgement, then closes."""

    def __init__(self, example: Any, payloads: list[bytes]) -> None:
        self.example, self.payloads, self.subscribed = example, payloads, b""
        self.acknowledged: list[int] = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        connection, _ = self.server.accept()
        with connection, self.server:
            for kind, body in self.example.packets(connection):
                if kind == 0x10:
                    connection.sendall(self.example.packet(0x20, b"\x00\x00"))
                    continue
                if kind == 0x82:
                    self.subscribed = body[2:]
                    connection.sendall(self.example.packet(0x90, body[:2] + b"\x01"))
                if kind == 0x40:
                    self.acknowledged += struct.unpack(">H", body)
                number = len(self.acknowledged)
                if number == len(self.payloads):
                    return
                message = self.example.text("signals/m") + struct.pack(">H", number) + self.payloads[number]
                connection.sendall(self.example.packet(0x32, message))


def signal_of(n: int, model: str = "m/1") -> bytes:
    told = f'"signal_id": "{n}", "model": "{model}", "instrument": "A", "score": 0.5, "horizon_seconds": 60'
    return f'{{{told}, "event_time": "2026-01-05T10:00:00Z"}}'.encode()


def test_the_mqtt_example_publishes_before_it_acknowledges_and_refuses_garbage(example: Any, capsys: Any) -> None:
    stream = RoughStream(["lose"])
    broker = Broker(example, [signal_of(0), b"\xff garbage", b"[]", signal_of(1, "m" * 500), signal_of(2)])
    with socket.create_connection(broker.server.getsockname()) as connection:
        ingress = example.run(connection, stream, "test", lambda: AT)
    broker.thread.join()
    assert consumed(stream.batches) == {"A": [0, 1, 2]}
    assert broker.acknowledged == [0, 1, 2, 3, 4]
    assert broker.subscribed == b"\x00\x09signals/#\x01"
    assert (ingress.counts.records, ingress.counts.refused) == (3, 2)
    assert "malformed bytes" in capsys.readouterr().out


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 2_097_152])
def test_packets_of_any_size_are_read_as_written(example: Any, size: int) -> None:
    ours, theirs = socket.socketpair()
    body = bytes(size)

    def send() -> None:
        with ours:
            ours.sendall(example.packet(0x30, body))

    sender = threading.Thread(target=send)
    sender.start()
    with theirs:
        assert list(example.packets(theirs)) == [(0x30, body)]
    sender.join()
