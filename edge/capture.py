"""A capture played as a venue would send it: for trials of a client, at any speed.

A capture is a file of lines ``receive-time-in-ns JSON``, gzip or plain, as recorders of such streams write it. The
server speaks as Binance does: a client sends ``SUBSCRIBE`` with the names it wants, is told ``{"result": null}``, and
is sent the messages of these names from then on. The time of the capture begins with the first subscription, and who
comes back later misses what was played meanwhile, as with a venue.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve

from vintner.errors import VintnerError

HOST: Final = "127.0.0.1"
_AT_ONCE: Final = 200


class CaptureError(VintnerError, ValueError):
    """A capture cannot be played."""

    template = "capture {path}, line {line}: {problem}; give lines of a time in ns, a blank, and JSON"


class Captured(NamedTuple):
    """One message: when it was received, ns since 1970, the stream it came on, and its text."""

    at: int
    stream: str
    text: str


def read_capture(path: Path) -> Iterator[Captured]:
    """Yield the messages of a capture that came on a stream, in order.

    Raises
    ------
    CaptureError
        A line is of another form.
    """
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            at, _, text = line.rstrip("\n").partition(" ")
            try:
                wire = json.loads(text)
            except ValueError as cause:
                raise CaptureError(path=path, line=number, problem="is not JSON") from cause
            if not at.isdecimal() or not isinstance(wire, dict):
                raise CaptureError(path=path, line=number, problem="has another form")
            if isinstance(stream := wire.get("stream"), str):  # others were asked for, not streamed
                yield Captured(int(at), stream, text)


class CaptureServer:
    """Plays a capture to whoever subscribes; ends when it was played.

    Parameters
    ----------
    path
        The capture.
    speed
        How many times faster than it was recorded; 0 is as fast as clients take it.
    """

    def __init__(self, path: Path, *, speed: float = 1.0) -> None:
        self._path = path
        self._speed = speed
        self._wanted: dict[ServerConnection, set[str]] = {}
        self._started = asyncio.Event()
        self.played = 0

    async def run(self, port: int = 0, *, ready: asyncio.Future[int] | None = None) -> int:
        """Serve on a port of this machine (0: a free one) until the capture was played; return how many messages."""
        async with serve(self._serve, HOST, port, close_timeout=1) as server:
            if ready is not None:
                ready.set_result(port_of(server))
            await self._started.wait()
            await self._play()
        return self.played

    async def _serve(self, socket: ServerConnection) -> None:
        try:
            async for message in socket:
                asked = json.loads(message)
                self._wanted.setdefault(socket, set()).update(asked["params"])
                await socket.send(json.dumps({"result": None, "id": asked["id"]}))
                self._started.set()
        finally:
            self._wanted.pop(socket, None)

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        began, first = loop.time(), None
        for number, (at, stream, text) in enumerate(read_capture(self._path)):
            first = at if first is None else first
            if self._speed and (early := (at - first) / 1e9 / self._speed - (loop.time() - began)) > 0:
                await asyncio.sleep(early)
            to = [socket for socket, wanted in self._wanted.items() if stream in wanted]
            if self._speed:
                broadcast(to, text)
            else:
                for socket in to:
                    await socket.send(text)
            self.played += 1
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)


def port_of(server: Server) -> int:
    """Return the port a server listens on."""
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port
