"""A stream service and its mappings in memory, as unkind as the real ones: every fault drawn from one seed.

*   A stream has shards with ranges of hash keys, which can be split and merged while records flow; sequence numbers
    grow, retention is for ever. ``put`` refuses single entries, times out before or after it has taken effect.
*   A mapping gives each shard's records to a function in batches, in order, a child's after its parents'. What fails
    is delivered again, by another process if the first was killed; a batch that keeps failing is split, and what fails
    alone goes to the dead letters with its payload.
*   A function has several warm processes; now and then another one gets the batch. A process that is killed is gone
    with all it held.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from tests.support.faults import Crash
from vintner.errors import VintnerError
from vintner.messaging.delivery_lanes import OUTCOME_UNKNOWN, UNREACHABLE, Entry
from vintner.messaging.kinesis import Delivery
from vintner.messaging.streams import LANES, partition_key

TOP = 2**128


class Killed(BaseException):
    """The process is gone: nothing of ours may catch this."""


class DependencyError(Exception):
    """A dependency throttled, timed out, or lost its answer."""


FAULTS = (Killed, Crash, DependencyError, VintnerError)
"""What a function may fail with here; its processes are given nothing else to fail with."""

MOST = 0.1
"""No fault is more likely than this: what is tried again a dozen times succeeds."""


@dataclass
class Weather:
    """How often things fail, and what has."""

    dice: Random
    calm: bool = False
    throttled: float = 0.01
    unreachable: float = 0.002
    answer_lost: float = 0.004
    killed: float = 0.004
    injected: Counter[str] = field(default_factory=Counter)

    def strikes(self, what: str, chance: float) -> bool:
        if self.calm or self.dice.random() >= min(chance, MOST):
            return False
        self.injected[what] += 1
        return True

    def write(self, what: str, effect: Callable[[], Any]) -> Any:
        """Do something that outlasts the process: it may be refused, cut off before or after, or its answer lost.

        What is seldom done fails more often.
        """
        often = _OFTEN.get(what, 1)
        if self.strikes(f"killed before {what}", self.killed / 2 * often):
            raise Killed
        if self.strikes(f"{what} throttled", self.throttled / 4 * often):
            raise DependencyError(what)
        answer = effect()
        if self.strikes(f"killed after {what}", self.killed / 2 * often):
            raise Killed
        if self.strikes(f"{what} answer lost", self.answer_lost / 4 * often):
            raise DependencyError(what)
        return answer


_OFTEN = {"S3": 40, "DynamoDB": 6}


@dataclass
class Shard:
    """One shard: the hash keys it owns, what it holds, and whether it still takes records."""

    name: str
    low: int
    high: int
    parents: tuple[str, ...] = ()
    records: list[Delivery] = field(default_factory=list)
    closed: bool = False


class MemoryStream:
    """One stream."""

    def __init__(self, name: str, shards: int) -> None:
        self.name = name
        step = TOP // shards
        self.shards = {
            f"shard-{n}": Shard(f"shard-{n}", n * step, TOP if n == shards - 1 else (n + 1) * step)
            for n in range(shards)
        }
        self.sequence = 0

    def add(self, entry: Entry, arrived_at: datetime) -> None:
        shard = self.owner(entry.partition_key)
        self.sequence += 3
        shard.records.append(
            Delivery(stream=self.name, shard=shard.name, sequence=self.sequence, data=entry.data, arrived_at=arrived_at)
        )

    def owner(self, key: str) -> Shard:
        at = _hash_key(key)
        return next(s for s in self.shards.values() if s.low <= at < s.high and not s.closed)

    def split(self, name: str) -> None:
        shard = self.shards[name]
        middle = (shard.low + shard.high) // 2
        shard.closed = True
        for low, high in ((shard.low, middle), (middle, shard.high)):
            self._open(low, high, (name,))

    def merge(self, one: str, other: str) -> None:
        left, right = sorted((self.shards[one], self.shards[other]), key=lambda shard: shard.low)
        assert left.high == right.low, "only neighbours merge"
        left.closed = right.closed = True
        self._open(left.low, right.high, (left.name, right.name))

    def _open(self, low: int, high: int, parents: tuple[str, ...]) -> None:
        name = f"shard-{len(self.shards)}"
        self.shards[name] = Shard(name, low, high, parents)


class MemoryKinesis:
    """All streams; what producers call to send, and consumers to read again."""

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self.streams: dict[str, MemoryStream] = {}
        self.now = datetime(2026, 1, 5, tzinfo=UTC)

    def create(self, name: str, shards: int) -> MemoryStream:
        self.streams[name] = MemoryStream(name, shards)
        return self.streams[name]

    def put(self, stream: str, entries: Sequence[Entry]) -> list[str | None]:
        weather = self.weather
        if weather.strikes("Kinesis unreachable", weather.unreachable):
            return [UNREACHABLE] * len(entries)
        codes: list[str | None] = []
        for entry in entries:
            throttled = weather.strikes("Kinesis throttled", weather.throttled)
            codes.append("ProvisionedThroughputExceededException" if throttled else None)
            if not throttled:
                self.streams[stream].add(entry, self.now)
        if weather.strikes("Kinesis answer lost", weather.answer_lost):
            return [OUTCOME_UNKNOWN] * len(entries)
        return codes

    def put_in_a_function(self, stream: str, entries: Sequence[Entry]) -> list[str | None]:
        """As a function sends: it may be killed before or after."""
        codes: list[str | None] = self.weather.write("send", lambda: self.put(stream, entries))
        return codes


class MemoryStreamShards:
    """A stream's shards as a stateful consumer reads them again."""

    def __init__(self, stream: MemoryStream, weather: Weather) -> None:
        self.stream, self.weather = stream, weather

    def read(self, shard: str, *, after: int | None, before: int | None) -> Iterator[Delivery]:
        if self.weather.strikes("Kinesis read throttled", self.weather.throttled):
            raise DependencyError(shard)
        for one in list(self.stream.shards[shard].records):
            if (after is None or one.sequence > after) and (before is None or one.sequence < before):
                yield one

    def parents(self, shard: str) -> tuple[str, ...]:
        return self.stream.shards[shard].parents

    def lanes(self, shard: str) -> list[int]:
        own = self.stream.shards[shard]
        return [lane for lane in range(LANES) if own.low <= _hash_key(partition_key(lane)) < own.high]


class Function:
    """Warm processes of one function, each made when it is needed."""

    def __init__(self, make: Callable[[], Callable[[list[Delivery]], None]], weather: Weather, most: int = 2) -> None:
        self.make, self.weather, self.most = make, weather, most
        self.processes: list[Callable[[list[Delivery]], None]] = []

    def invoke(self, batch: list[Delivery]) -> None:
        dice = self.weather.dice
        if len(self.processes) < self.most and (not self.processes or dice.random() < 0.05):
            self.processes.append(self.make())
        if dice.random() < 0.05:
            dice.shuffle(self.processes)
        try:
            self.processes[0](batch)
        except (Killed, Crash):
            del self.processes[0]
            raise


class Mapping:
    """Delivers a stream to a function."""

    def __init__(self, stream: MemoryStream, function: Function, *, batch: int, attempts: int = 12) -> None:
        self.stream, self.function, self.batch, self.attempts = stream, function, batch, attempts
        self.position: dict[str, int] = {}
        self.dead_letters: list[Delivery] = []
        self.invocations = 0
        self.failures: Counter[str] = Counter()

    def poll(self) -> int:
        """Deliver one batch of each shard that has one; return how many records."""
        return sum(self._poll(shard) for shard in list(self.stream.shards.values()) if self._may_begin(shard))

    def drain(self) -> None:
        """Deliver until nothing is left."""
        while self.poll():
            pass

    def _may_begin(self, shard: Shard) -> bool:
        return all(
            self.position.get(name, 0) == len(self.stream.shards[name].records)
            and self._may_begin(self.stream.shards[name])
            for name in shard.parents
        )

    def _poll(self, shard: Shard) -> int:
        at = self.position.get(shard.name, 0)
        batch = shard.records[at : at + self.batch]
        if batch:
            self._deliver(batch)
            self.position[shard.name] = at + len(batch)
        return len(batch)

    def _deliver(self, batch: list[Delivery]) -> None:
        for _ in range(self.attempts):
            self.invocations += 1
            if self._succeeds(batch):
                return
        if len(batch) == 1:
            self.dead_letters += batch
            return
        middle = len(batch) // 2
        self._deliver(batch[:middle])
        self._deliver(batch[middle:])

    def _succeeds(self, batch: list[Delivery]) -> bool:
        try:
            self.function.invoke(list(batch))
        except FAULTS as fault:  # anything else is a mistake of ours, which no test may hide
            self.failures[type(fault).__name__] += 1
            return False
        return not self.function.weather.strikes("mapping answer lost", self.function.weather.answer_lost)


def _hash_key(key: str) -> int:
    return int.from_bytes(hashlib.md5(key.encode(), usedforsecurity=False).digest(), "big")
