"""What a stateful consumer is made of: a pipeline, claims on shards, snapshots, and a way to read a shard again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from vintner.errors import VintnerError
from vintner.messaging.kinesis import Delivery
from vintner.messaging.wire import Batch


class ClaimConflictError(VintnerError):
    """Another process has claimed the shard since. ``held`` on the error is its claim."""

    template = "shard {shard} has been claimed by another process (version {version}); restore its state and try again"


class StateLostError(VintnerError):
    """The state of a shard can be had neither from its snapshot nor from the stream."""

    template = "the state of shard {shard} is lost: {problem}; rebuild it from the lake with the command rebuild-state"


class SnapshotError(VintnerError, ValueError):
    """A snapshot cannot be read."""

    template = "snapshot {name} {problem}; the state is restored from the stream or rebuilt from the lake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """What a pipeline made of some deliveries.

    Parameters
    ----------
    batches
        Records for other streams: logical name of the stream, and the batch, in the order they are to be sent.
    facts
        Facts for a reference data stream: dataset name and record.
    counts
        What became of the records that came in, by outcome.
    gauges
        What was measured, by name, milliseconds.
    unsettled
        Whether something was refused that newer reference data might accept.
    """

    batches: Sequence[tuple[str, Batch]] = ()
    facts: Sequence[tuple[str, Mapping[str, Any]]] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)
    unsettled: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that producers have sent was not fed.

    ``after`` is the sequence number of the last delivery of its lane that was; None if there was none.
    """

    after: int | None


class Pipeline(Protocol):
    """Turns deliveries into records of other streams, with a state for each lane.

    What it derives, sequence numbers included, is a function of each lane's sequence of deliveries alone: neither how
    they are batched nor what other lanes its process holds may change it. Deliveries that come again change nothing.
    """

    def feed(self, deliveries: Sequence[Delivery]) -> Derived:
        """Take deliveries, in the order of their shard."""
        ...

    def misses(self, deliveries: Sequence[Delivery]) -> Missing | None:
        """Say whether producers have sent something between what was fed and these deliveries. Changes nothing."""
        ...

    def renew(self) -> bool:
        """Judge by the newest reference data from now on; return whether they are others than before."""
        ...

    def dump(self) -> dict[int, bytes]:
        """Return the state of each lane, and under :data:`SHARED` what is common to them."""
        ...

    def load(self, lanes: Mapping[int, bytes]) -> None:
        """Take over the states of lanes, and what is common to them if it is there."""
        ...


SHARED: Final = -1
"""Key of what is common to the lanes of a state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """How far a shard was worked on, and where its snapshot is.

    Parameters
    ----------
    version
        Grows with each claim: whoever holds an older one has missed something.
    completed
        Sequence number of the last delivery whose derivations are known to be sent, or None.
    begun
        Sequence number of the last delivery that work was ever begun on, or None.
    snapshot
        Name of the newest snapshot, or None.
    snapshot_at
        Sequence number of the last delivery in it, or None where it holds what a shard began with.
    """

    version: int = 0
    completed: int | None = None
    begun: int | None = None
    snapshot: str | None = None
    snapshot_at: int | None = None


class Claims(Protocol):
    """Claims on shards, each written only if nobody claimed since."""

    def held(self, shard: str) -> Claim:
        """Return the claim on a shard; version 0 if there is none."""
        ...

    def put(self, shard: str, claim: Claim) -> None:
        """Write a claim.

        Raises
        ------
        ClaimConflictError
            The claim written last is not of the version before.
        """
        ...


class Snapshots(Protocol):
    """Keeps states of lanes by name."""

    def write(self, name: str, lanes: Mapping[int, bytes]) -> None:
        """Keep states; a name may be written over."""
        ...

    def remove(self, name: str) -> None:
        """Forget states that no claim points to any more."""
        ...

    def read(self, name: str) -> dict[int, bytes]:
        """Return the states.

        Raises
        ------
        SnapshotError
            It is not there, or not whole.
        """
        ...


class Shards(Protocol):
    """Reads a stream's shards again."""

    def read(self, shard: str, *, after: int | None, before: int | None) -> Iterator[Delivery]:
        """Yield the deliveries after a sequence number (from the oldest if None) and before another (all if None)."""
        ...

    def parents(self, shard: str) -> Sequence[str]:
        """Return the shards this one was split or merged from, if the stream still knows them."""
        ...

    def lanes(self, shard: str) -> Iterable[int]:
        """Return the lanes whose partition keys belong to a shard."""
        ...
