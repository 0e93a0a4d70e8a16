"""Another protocol in one file: signals that arrive over MQTT 3.1.1 become records of the stream ``signals``.

    python docs/examples/mqtt_signals.py HOST PORT ENVIRONMENT

The broker keeps a message until it is acknowledged (QoS 1), and it is acknowledged when the stream has accepted its
records. So nothing is lost, whenever this process ends; a signal that comes twice has the same ``signal_id``.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from vintner.aws.streams import KinesisPut
from vintner.messaging import Publisher, PutRecords
from vintner.messaging.errors import MessageRefusedError
from vintner.messaging.ingress import Ingress, Message, Received
from vintner.messaging.records import Signal
from vintner.messaging.streams import LANES, SIGNALS, Stream

TOPIC = "signals/#"


# 1. What is particular to the source: how a message becomes records.


class SignalAdapter:
    """One signal a message, as a JSON object with the fields of the record."""

    def on_connect(self) -> Sequence[str]:
        """Return the topics to subscribe to."""
        return [TOPIC]

    def decode(self, message: Message, *, received_at: datetime) -> Sequence[Signal]:
        """Return the signal of a message; when it was received is when it was known."""
        try:
            told = json.loads(message)
            at = datetime.fromisoformat(told.pop("event_time"))
            return [Signal(**told, event_time=at, knowledge_time=received_at)]
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as cause:
            remedy = "send a JSON object with the fields of a signal"
            raise MessageRefusedError(field="message", rule="malformed bytes", remedy=remedy) from cause

    def position(self, record: Signal) -> tuple[Hashable, int] | None:  # noqa: ARG002
        """Signals are not numbered by their source."""
        return None

    def lanes(self, stream: Stream) -> Iterable[int]:  # noqa: ARG002
        """Signals of any instrument may come."""
        return range(LANES)


# 2. The transport: MQTT, as much of it as this needs. Any client library will do instead.


def text(value: str) -> bytes:
    """Return a text with its length."""
    return struct.pack(">H", len(value.encode())) + value.encode()


def packet(kind: int, body: bytes) -> bytes:
    """Return a packet of MQTT."""
    size, left = b"", len(body)
    while True:
        left, digit = divmod(left, 128)
        size += bytes([digit | (128 if left else 0)])
        if not left:
            return bytes([kind]) + size + body


def packets(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Yield the packets that arrive until the connection ends."""
    stream = connection.makefile("rb")
    while head := stream.read(1):
        size = shift = 0
        while True:
            (digit,) = stream.read(1)
            size |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                break
        yield head[0], stream.read(size)


def listen(connection: socket.socket, topics: Sequence[str], take: Callable[[bytes], None]) -> None:
    """Subscribe with QoS 1 and give each message to ``take``; acknowledge it when that returns."""
    connection.sendall(packet(0x10, text("MQTT") + bytes([4, 0]) + struct.pack(">H", 0) + text("vintner-signals")))
    for kind, body in packets(connection):
        if kind == 0x20:  # connected
            wanted = b"".join(text(topic) + b"\x01" for topic in topics)
            connection.sendall(packet(0x82, struct.pack(">H", 1) + wanted))
        elif kind & 0xF0 == 0x30:  # a message: its topic, its number, its payload
            begin = 2 + struct.unpack_from(">H", body)[0]
            acknowledged = bool(kind & 0x06)
            take(body[begin + 2 * acknowledged :])
            if acknowledged:
                connection.sendall(packet(0x40, body[begin : begin + 2]))


# 3. Both together.


def run(connection: socket.socket, put: PutRecords, environment: str, clock: Callable[[], datetime]) -> Ingress:
    """Publish what a broker sends until it closes the connection."""
    adapter = SignalAdapter()
    producer = f"mqtt-signals/{int(clock().timestamp() * 1000)}"
    publisher = Publisher(put, SIGNALS, producer=producer, environment_name=environment, clock=clock)
    ingress = Ingress(adapter, [publisher], refused=print, broken=print)

    def take(payload: bytes) -> None:
        now = clock()
        ingress.take([Received(payload, now)], now)
        ingress.flush(now)  # returns when it was accepted

    listen(connection, adapter.on_connect(), take)
    return ingress


if __name__ == "__main__":
    host, port, environment = sys.argv[1:]
    with socket.create_connection((host, int(port))) as broker:
        run(broker, KinesisPut(), environment, lambda: datetime.now(UTC))
