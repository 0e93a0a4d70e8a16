"""A WebSocket client that stays connected: what it receives is handed over in order, stamped when it came.

1.  It connects, says what its adapter says (the subscriptions), and listens. Each message is stamped at once and put
    into a queue, which is bounded: when whoever takes is slow, reading stops, and the venue feels it.
2.  A connection that breaks, closes, or is silent for too long is left, and another is made after a pause, which
    doubles with each connection that brought nothing and has a part that is drawn.
3.  Beside it, what lies in the queue is handed over in batches, in a thread of its own. What cannot be taken is tried
    again until it can. While connected, heartbeats say that everything up to now was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Protocol

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidURI, WebSocketException

from vintner.errors import VintnerError
from vintner.messaging.ingress import Received

Report = Callable[..., None]
"""Is told what happened: a word, and details by name."""


class Taker(Protocol):
    """What messages are handed over to: an :class:`~vintner.messaging.ingress.Ingress`."""

    def take(self, received: Sequence[Received], now: datetime) -> None:
        """Take messages; raise a ``VintnerError`` to be asked again without new ones."""
        ...

    def beat(self, now: datetime) -> None:
        """Say that everything was sent."""
        ...

    def flush(self, now: datetime) -> Any:
        """Send all that waits."""
        ...


class AddressError(VintnerError, ValueError):
    """An address is none that a WebSocket can connect to."""

    template = "address {url!r} cannot be connected to ({reason}); give one like wss://host/path"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How a client keeps its connection. Times in seconds.

    Parameters
    ----------
    stale_after
        Silence after which a connection is left.
    first_pause, longest_pause
        Before connecting again.
    open_timeout
        For a connection to be made.
    heartbeat_every
        Between heartbeats.
    queue
        Messages that may wait to be handed over.
    batch
        Messages handed over at once.
    most_bytes
        Size of a message at most.
    proxy
        Whether the proxy that the environment names is used.
    """

    stale_after: float = 10.0
    first_pause: float = 0.5
    longest_pause: float = 30.0
    open_timeout: float = 10.0
    heartbeat_every: float = 1.0
    queue: int = 20_000
    batch: int = 2_000
    most_bytes: int = 1024 * 1024
    proxy: bool = True


class WebSocketClient:
    """Listens to one address until it is told to stop.

    Parameters
    ----------
    url
        Where to connect.
    hello
        Returns what to send after connecting.
    taker
        Takes the messages.
    clock
        Tells the present.
    report
        Is told of connections, failures and pauses.
    settings
        How the connection is kept.
    seed
        Of what is drawn for the pauses.
    """

    def __init__(
        self,
        url: str,
        *,
        hello: Callable[[], Sequence[str]],
        taker: Taker,
        clock: Callable[[], datetime],
        report: Report,
        settings: ClientSettings | None = None,
        seed: int = 0,
    ) -> None:
        self._url = url
        self._hello = hello
        self._taker = taker
        self._clock = clock
        self._report = report
        self._settings = settings or ClientSettings()
        self._dice = Random(seed)  # noqa: S311 - spreads pauses, guards nothing
        self._queue: asyncio.Queue[Received] = asyncio.Queue(self._settings.queue)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="publish")
        self._connected = False
        self._heard = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until ``stop`` is set; then hand over what was received, and flush.

        Raises
        ------
        AddressError
            The address can never be connected to.
        """
        tasks = [asyncio.create_task(self._keep_listening()), asyncio.create_task(self._keep_handing_over())]
        stopped = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()  # neither ends by itself but by failing
        finally:
            for task in (*tasks, stopped):
                task.cancel()
            await asyncio.gather(*tasks, stopped, return_exceptions=True)
            await self._finish()

    async def _keep_listening(self) -> None:
        failures = 0
        while True:
            heard = self._heard
            try:
                await self._listen()
            except InvalidURI as cause:
                raise AddressError(url=self._url, reason=cause.msg) from cause
            except TimeoutError:
                self._report("stale" if self._connected else "unreachable", seconds=self._settings.stale_after)
            except (OSError, EOFError, WebSocketException) as cause:
                self._report("disconnected", reason=str(cause) or type(cause).__name__)
            finally:
                self._connected = False
            failures = 1 if self._heard > heard else failures + 1
            pause = self._pause(failures)
            self._report("pause", seconds=round(pause, 3))
            await asyncio.sleep(pause)

    async def _listen(self) -> None:
        how = self._settings
        options: dict[str, Any] = {} if how.proxy else {"proxy": None}
        async with connect(
            self._url, open_timeout=how.open_timeout, close_timeout=1, max_size=how.most_bytes, **options
        ) as socket:
            self._connected = True
            self._report("connected", url=self._url)
            for text in self._hello():
                await socket.send(text)
            while True:
                async with asyncio.timeout(how.stale_after):
                    message = await socket.recv()
                self._heard += 1
                await self._queue.put(Received(message, self._clock()))

    def _pause(self, failures: int) -> float:
        longest = min(self._settings.longest_pause, self._settings.first_pause * 2.0 ** min(failures - 1, 30))
        return longest / 2 + self._dice.uniform(0, longest / 2)

    async def _keep_handing_over(self) -> None:
        loop = asyncio.get_running_loop()
        next_beat = loop.time() + self._settings.heartbeat_every
        while True:
            first = None
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, next_beat - loop.time())):
                    first = await self._queue.get()
            if first is not None:
                await self._hand_over(self._batch(first))
            if loop.time() >= next_beat:
                next_beat = loop.time() + self._settings.heartbeat_every
                if self._connected:
                    await self._try(self._taker.beat)

    def _batch(self, first: Received) -> list[Received]:
        batch = [first]
        while len(batch) < self._settings.batch and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        return batch

    async def _hand_over(self, batch: Sequence[Received]) -> None:
        """Hand messages over until they are taken; nothing else is handed over before."""
        taken = await self._try(lambda now: self._taker.take(batch, now))
        failures = 0
        while not taken:
            failures += 1
            await asyncio.sleep(self._pause(failures))
            taken = await self._try(lambda now: self._taker.take((), now))

    async def _try(self, call: Callable[[datetime], object]) -> bool:
        """Run a call in the thread that all of them run in, one after another; return whether it was done."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, call, self._clock())
        except VintnerError as error:
            self._report("not taken", reason=str(error))
            return False
        return True

    async def _finish(self) -> None:
        left = [self._queue.get_nowait() for _ in range(self._queue.qsize())]
        if await self._try(lambda now: self._taker.take(left, now)):
            await self._try(self._taker.flush)
        self._thread.shutdown()
