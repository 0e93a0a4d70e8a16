"""The WebSocket client against a real server on this machine that drops, stalls, lies and stops in mid-message."""

from __future__ import annotations

import asyncio
import gzip
import json
from datetime import timedelta
from itertools import count

import pytest
from websockets.asyncio.server import serve

from edge.binance import BinanceAdapter
from edge.capture import CaptureServer, port_of
from edge.client import AddressError, ClientSettings, WebSocketClient
from tests.support.publishing import AT
from vintner.errors import VintnerError
from vintner.messaging.errors import StreamUnavailableError
from vintner.messaging.ingress import Break, Ingress, Refused
from vintner.messaging.publisher import Publisher
from vintner.messaging.streams import TRADES
from vintner.messaging.wire import unpack

QUICK = ClientSettings(
    stale_after=0.3, first_pause=0.01, longest_pause=0.05, heartbeat_every=0.05, queue=50, batch=7, proxy=False
)
ADAPTER = BinanceAdapter("binance-spot", ("BTCUSDT",), ("trade",))


def trade(n):
    data = {"e": "trade", "s": "BTCUSDT", "t": n, "p": "1.50", "q": "2", "T": 1_700_000_000_000 + n, "m": False}
    return json.dumps({"stream": "btcusdt@trade", "data": data})


class Venue:
    """Numbers trades through; each connection is served by the next of ``acts``, the last one by all further ones."""

    def __init__(self, *acts):
        self.acts, self.connections, self.subscriptions = list(acts), 0, []
        self.next, self.ended = 0, False

    async def serve(self, socket):
        act = self.acts[min(self.connections, len(self.acts) - 1)]
        self.connections += 1
        self.subscriptions.append(json.loads(await socket.recv()))
        await socket.send('{"result": null, "id": 1}')
        await act(self, socket)

    async def send(self, socket, trades):
        for _ in range(trades):
            await socket.send(trade(self.next))
            self.next += 1


async def drop(venue, socket):
    await venue.send(socket, 20)
    await asyncio.sleep(0.05)  # what an abort finds on its way may be lost
    socket.transport.abort()
    venue.next += 3  # what happens while nobody listens


async def drop_cleanly(venue, socket):
    await venue.send(socket, 20)
    await socket.close(1012, "restart")


async def stall(venue, socket):
    await venue.send(socket, 5)
    await socket.wait_closed()


async def stop_in_mid_message(venue, socket):
    await venue.send(socket, 5)
    await asyncio.sleep(0.05)
    whole = trade(venue.next).encode()
    socket.transport.write(bytes([0x81, 126]) + len(whole).to_bytes(2, "big") + whole[:30])
    await asyncio.sleep(0.05)
    socket.transport.abort()


async def lie(venue, socket):
    await venue.send(socket, 5)
    await socket.send("{ nonsense")
    await socket.send(b"\x00\xff")
    await venue.send(socket, 5)
    socket.transport.write(b"\xff" * 10)  # no frame at all
    await socket.wait_closed()


async def too_long(venue, socket):
    await socket.send("x" * 2_000_000)
    await socket.wait_closed()


async def last(venue, socket):
    await venue.send(socket, 0 if venue.ended else 30)
    venue.ended = True  # a client may take the silence that follows for a stall, and come back
    await socket.wait_closed()


class Sink:
    """Takes what is published; may be away for the first ``away`` calls."""

    def __init__(self, away=0):
        self.accepted, self.heartbeats, self.away = [], 0, away

    def __call__(self, stream, entries):
        if self.away > 0:
            self.away -= 1
            return ["ProvisionedThroughputExceededException"] * len(entries)
        for entry in entries:
            batch = unpack(entry.data, TRADES.record)
            self.heartbeats += batch.is_heartbeat
            self.accepted += batch.rows["trade_id"].to_pylist()
        return [None] * len(entries)


def listened(venue, sink, done, settings=QUICK):
    """Run a client against a venue until ``done``; return what was reported, refused and found broken."""
    clock = ticking()
    told: list[str] = []
    refused: list[Refused] = []
    breaks: list[Break] = []

    async def run():
        publisher = Publisher(
            sink, TRADES, producer="t/1", environment_name="test", clock=clock, wait=lambda s: None, attempts=2
        )
        ingress = Ingress(ADAPTER, [publisher], refused=refused.append, broken=breaks.append)
        stop = asyncio.Event()
        async with serve(venue.serve, "127.0.0.1", 0, close_timeout=0.1) as server:
            client = WebSocketClient(
                f"ws://127.0.0.1:{port_of(server)}/stream", hello=ADAPTER.on_connect, taker=ingress,
                clock=clock, report=lambda event, **details: told.append(event), settings=settings, seed=7,
            )  # fmt: skip
            running = asyncio.create_task(client.run(stop))
            while not done(ingress, sink) and not running.done():  # noqa: ASYNC110 - a thread works on it
                await asyncio.sleep(0.01)
            stop.set()
            await running

    asyncio.run(run())
    return told, refused, breaks


def ticking():
    """Return a clock that moves a little with each look."""
    ticks = count()
    return lambda: AT + timedelta(milliseconds=50 * next(ticks))


def heard(messages):
    return lambda ingress, sink: ingress.counts.messages >= messages


def test_it_comes_back_subscribes_again_and_reports_what_it_missed():
    venue, sink = Venue(drop, drop_cleanly, last), Sink()
    told, refused, breaks = listened(venue, sink, heard(73))
    assert venue.subscriptions[:3] == [json.loads(ADAPTER.on_connect()[0])] * 3
    assert sink.accepted == [*range(20), *range(23, 73)]
    assert breaks == [Break("BTCUSDT", range(20, 23), breaks[0].seen_at)]
    assert (told.count("connected") >= 3, told.count("disconnected"), refused) == (True, 2, [])


def test_a_silent_connection_is_left():
    venue, sink = Venue(stall, last), Sink()
    told, _, breaks = listened(venue, sink, heard(37))
    assert "stale" in told
    assert (sink.accepted, breaks) == (list(range(35)), [])


def test_a_connection_that_ends_in_mid_message_costs_no_whole_message():
    venue, sink = Venue(stop_in_mid_message, last), Sink()
    listened(venue, sink, heard(37))
    assert sink.accepted == list(range(35))


def test_garbage_is_refused_and_holds_up_nothing():
    venue, sink = Venue(lie, too_long, last), Sink()
    _, refused, _ = listened(venue, sink, lambda ingress, sink: ingress.counts.records >= 40)
    assert sink.accepted == list(range(40))
    assert [one.message for one in refused] == ["{ nonsense", b"\x00\xff"]


def test_heartbeats_are_sent_while_connected():
    sink = Sink()
    listened(Venue(last), sink, lambda ingress, sink: sink.heartbeats >= 2)
    assert sink.accepted == list(range(30))


def test_a_stream_that_is_away_holds_messages_back_and_loses_none():
    venue, sink = Venue(last), Sink(away=3)
    listened(venue, sink, lambda ingress, sink: len(sink.accepted) >= 30)
    assert sink.accepted == list(range(30))


class Full:
    """A taker without room for the first calls."""

    def __init__(self):
        self.refusals, self.taken, self.flushed = 3, [], 0

    def take(self, received, now):
        self.taken += [one.message for one in received]
        if self.refusals:
            self.refusals -= 1
            raise StreamUnavailableError(stream="s", count=1, attempts=1, code="x", entries=[])

    def beat(self, now):
        pass

    def flush(self, now):
        self.flushed += 1


def test_what_is_not_taken_is_asked_for_again_and_given_once():
    venue, taker = Venue(last), Full()
    told: list[str] = []

    async def run():
        stop = asyncio.Event()
        async with serve(venue.serve, "127.0.0.1", 0, close_timeout=0.1) as server:
            client = WebSocketClient(
                f"ws://127.0.0.1:{port_of(server)}", hello=ADAPTER.on_connect, taker=taker, clock=lambda: AT,
                report=lambda event, **_: told.append(event), settings=QUICK,
            )  # fmt: skip
            running = asyncio.create_task(client.run(stop))
            while len(taker.taken) < 31:  # noqa: ASYNC110 - a thread works on it
                await asyncio.sleep(0.01)
            stop.set()
            await running

    asyncio.run(run())
    assert taker.taken[1:] == [trade(n) for n in range(30)]
    assert (told.count("not taken"), taker.flushed) == (3, 1)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "ws:"])
def test_an_address_that_is_none_ends_it(url):
    client = WebSocketClient(
        url, hello=ADAPTER.on_connect, taker=Full(), clock=lambda: AT, report=lambda *_, **__: None, settings=QUICK
    )
    with pytest.raises(AddressError) as caught:
        asyncio.run(client.run(asyncio.Event()))
    assert isinstance(caught.value, VintnerError)


@pytest.mark.parametrize("speed", [0, 50_000.0])
def test_a_capture_is_played_to_a_client(tmp_path, speed):
    path = tmp_path / "capture.jsonl.gz"
    other = '{"stream": "btcusdt@depth@100ms", "data": {}}'
    with gzip.open(path, "wt") as file:
        for n in range(200):
            file.write(f"{1_700_000_000_000_000_000 + n * 1_000_000} {trade(n)}\n")
            file.write(f"{1_700_000_000_000_000_000 + n * 1_000_000} {other}\n")
        file.write('1700000001000000000 {"lastUpdateId": 1}\n')
    sink = Sink()

    async def run():
        ready, stop = asyncio.get_running_loop().create_future(), asyncio.Event()
        server = CaptureServer(path, speed=speed)
        playing = asyncio.create_task(server.run(ready=ready))
        publisher = Publisher(sink, TRADES, producer="t/1", environment_name="test", clock=lambda: AT)
        ingress = Ingress(ADAPTER, [publisher], refused=print, broken=print)
        client = WebSocketClient(
            f"ws://127.0.0.1:{await ready}/stream", hello=ADAPTER.on_connect, taker=ingress, clock=lambda: AT,
            report=lambda *_, **__: None, settings=QUICK,
        )  # fmt: skip
        running = asyncio.create_task(client.run(stop))
        played = await playing
        while ingress.counts.messages < 201:  # noqa: ASYNC110 - a thread works on it
            await asyncio.sleep(0.01)
        stop.set()
        await running
        return played

    assert asyncio.run(run()) == 400
    assert sink.accepted == list(range(200))
