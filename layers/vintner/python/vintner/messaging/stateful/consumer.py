"""A consumer that keeps state, exactly once, on functions that come and go.

Its state is a function of the shard's deliveries, and what it derives has sequence numbers that follow from the state,
so doing something again does it identically and whoever receives it twice can tell.

1.  A batch begins with a claim: a conditional write of version + 1. It succeeds only for the process that made the
    claim before, so a process that was passed over finds out before it sends anything.
2.  A process without the newest state restores it: the newest snapshot, then the deliveries of the stream from there
    to the batch. What is derived from deliveries that are not known to be completed is sent again.
3.  Should producers' sequence numbers show that something is missing in a lane, the stream is read again from that
    lane's last delivery on, so that what a mapping gave up comes in its place: what of other lanes comes with it
    changes nothing.
4.  The batch goes through the pipeline, and what it derives is sent, in order.
5.  Now and then the lanes' states are written as a snapshot under a name of its own; then the claim points to it, and
    the one before is removed.

A shard that came from a split or a merge begins with its lanes' states of the parents, restored to their end.

Reference data that a pipeline judges by are pinned in the state. They are renewed when a snapshot is written, and when
something was refused that newer data accept: then the deliveries are judged anew, provided that work on them was never
begun before, so that nothing derived by the older data was sent.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from vintner.messaging.kinesis import Delivery
from vintner.messaging.stateful.model import (
    SHARED,
    Claim,
    ClaimConflictError,
    Claims,
    Derived,
    Pipeline,
    Shards,
    Snapshots,
    StateLostError,
)

SNAPSHOT_EVERY: Final = 20_000
"""Deliveries after which a snapshot is due, whatever the time: a restore reads so many again at most."""
SNAPSHOT_AFTER: Final = timedelta(seconds=15)
"""Time after which a snapshot is due if there was any delivery."""
MOST_RUNS: Final = 4
"""Shards whose state a process keeps: one is served at a time, and a process may have served others before."""

_CHUNK: Final = 500

Send = Callable[[Derived], None]


@dataclass(slots=True)
class _Run:
    """The state of one shard in this process, as of the delivery ``last``."""

    pipeline: Pipeline
    claim: Claim
    last: int | None
    saved_at: datetime
    unsaved: int = 0


class StatefulConsumer:
    """Consumes the shards of one stream.

    Parameters
    ----------
    pipeline
        Makes an empty pipeline.
    claims, snapshots, shards
        Where claims and states are kept, and how a shard is read again.
    send
        Sends what was derived; returns when all of it is accepted.
    clock
        Tells the present; it decides about nothing but when a snapshot is due.
    snapshot_every, snapshot_after
        Deliveries and time after which the state of a shard is written.
    """

    def __init__(
        self,
        pipeline: Callable[[], Pipeline],
        *,
        claims: Claims,
        snapshots: Snapshots,
        shards: Shards,
        send: Send,
        clock: Callable[[], datetime],
        snapshot_every: int = SNAPSHOT_EVERY,
        snapshot_after: timedelta = SNAPSHOT_AFTER,
    ) -> None:
        self._pipeline = pipeline
        self._claims = claims
        self._snapshots = snapshots
        self._shards = shards
        self._send = send
        self._clock = clock
        self._snapshot_every = snapshot_every
        self._snapshot_after = snapshot_after
        self._runs: dict[str, _Run] = {}

    def consume(self, deliveries: Sequence[Delivery]) -> list[Derived]:
        """Consume a batch of one shard, in order; return what was derived, that of restored deliveries included.

        Raises
        ------
        StateLostError
            The state can be had neither from snapshot nor stream.
        ClaimConflictError
            Another process works on the shard at this very moment; the batch may be consumed again.
        """
        if not deliveries:
            return []
        shard = deliveries[0].shard
        try:
            return self._consume(shard, deliveries)
        except BaseException:
            self._runs.pop(shard, None)  # what it holds may be half of something
            raise

    def _consume(self, shard: str, deliveries: Sequence[Delivery]) -> list[Derived]:
        first, last = deliveries[0].sequence, deliveries[-1].sequence
        done = []
        run, never_begun = self._claimed(shard, deliveries)
        if run is None:
            run, never_begun = self._restored_and_claimed(shard, deliveries)
            done += self._catch_up(run, shard, after=run.last, before=first)
        if missing := run.pipeline.misses(deliveries):
            done += self._catch_up(run, shard, after=missing.after, before=first)
        derived = run.pipeline.feed(deliveries)
        if derived.unsettled and never_begun:
            run, derived = self._judged_anew(shard, run, deliveries, derived)
        self._send(derived)
        run.unsaved += len(deliveries)
        run.last = _later(run.last, last)
        if run.unsaved >= self._snapshot_every or self._clock() - run.saved_at >= self._snapshot_after:
            run.pipeline.renew()
            self._save(shard, run)
        return [*done, derived]

    def _claimed(self, shard: str, deliveries: Sequence[Delivery]) -> tuple[_Run | None, bool]:
        """Return this process's state of the shard, claimed, if nobody has worked on the shard since.

        With it, whether work on these deliveries was never begun before.
        """
        run = self._runs.get(shard)
        if run is None:
            return None, False
        try:
            return run, self._claim(shard, run, deliveries)
        except ClaimConflictError:
            del self._runs[shard]
            return None, False

    def _restored_and_claimed(self, shard: str, deliveries: Sequence[Delivery]) -> tuple[_Run, bool]:
        run = self._restored(shard)
        never_begun = self._claim(shard, run, deliveries)
        while len(self._runs) >= MOST_RUNS:
            del self._runs[next(iter(self._runs))]
        self._runs[shard] = run
        return run, never_begun

    def _claim(self, shard: str, run: _Run, deliveries: Sequence[Delivery]) -> bool:
        begun, first, last = run.claim.begun, deliveries[0].sequence, deliveries[-1].sequence
        version = run.claim.version + 1
        claim = replace(run.claim, version=version, completed=run.last, begun=_later(begun, last))
        self._claims.put(shard, claim)
        run.claim = claim
        return begun is None or first > begun

    def _judged_anew(
        self, shard: str, run: _Run, deliveries: Sequence[Delivery], derived: Derived
    ) -> tuple[_Run, Derived]:
        """Feed deliveries again, judged by newer reference data if there are any; nothing of them was ever sent.

        The state is had as of the delivery before them, and is written with the newer data: whoever restores it judges
        what came before by the older, what comes after by the newer.
        """
        again = _Run(self._pipeline(), run.claim, run.last, self._clock())
        self._load(again, shard)
        if not again.pipeline.renew():
            return run, derived
        self._save(shard, again)
        self._runs[shard] = again
        return again, again.pipeline.feed(deliveries)

    def _restored(self, shard: str) -> _Run:
        """Return the state as of the last delivery known to be completed; nothing is sent."""
        claim = self._claims.held(shard)
        run = _Run(self._pipeline(), claim, claim.completed, self._clock())
        if claim.snapshot is None:
            self._inherit(run.pipeline, shard)
            self._save(shard, run)  # the parents will be forgotten, and reference data change
        else:
            self._load(run, shard)
        return run

    def _load(self, run: _Run, shard: str) -> None:
        """Bring an empty pipeline to the state as of ``run.last``."""
        assert run.claim.snapshot is not None  # noqa: S101 - every claim that was begun with has one
        run.pipeline.load(self._snapshots.read(run.claim.snapshot))
        if run.last is not None and run.last != run.claim.snapshot_at:
            self._replay(run, shard, after=run.claim.snapshot_at, to=run.last)

    def _inherit(self, pipeline: Pipeline, shard: str) -> None:
        """Take over the lanes of the shards this one was made of, each restored to its end."""
        parents = self._shards.parents(shard)
        mine = set(self._shards.lanes(shard)) if parents else set()
        for parent in parents:
            run = self._restored(parent)
            self._catch_up(run, parent, after=run.last, before=None)
            states = run.pipeline.dump()
            pipeline.load({lane: states[lane] for lane in mine & states.keys()})

    def _replay(self, run: _Run, shard: str, *, after: int | None, to: int) -> None:
        seen = after
        for chunk in _chunks(self._shards.read(shard, after=after, before=to + 1)):
            run.pipeline.feed(chunk)
            run.unsaved += len(chunk)
            seen = chunk[-1].sequence
        if seen != to:
            raise StateLostError(shard=shard, problem=f"the stream no longer has the deliveries up to {to}")

    def _catch_up(self, run: _Run, shard: str, *, after: int | None, before: int | None) -> list[Derived]:
        """Feed what the stream has after one delivery and before another, and send what comes of it."""
        if after is not None and before is not None and before <= after:
            return []
        done = []
        for chunk in _chunks(self._shards.read(shard, after=after, before=before)):
            done.append(self._feed(run, chunk))
            run.last = _later(run.last, chunk[-1].sequence)
        return done

    def _feed(self, run: _Run, deliveries: Sequence[Delivery]) -> Derived:
        derived = run.pipeline.feed(deliveries)
        self._send(derived)
        run.unsaved += len(deliveries)
        return derived

    def _save(self, shard: str, run: _Run) -> None:
        older = run.claim.snapshot
        # The state follows from its last delivery and the reference data: whoever writes this name writes the same.
        states = run.pipeline.dump()
        name = f"{shard}/{run.last or 0}-{zlib.crc32(states[SHARED]):08x}"
        self._snapshots.write(name, states)
        version = run.claim.version + 1
        claim = replace(run.claim, version=version, completed=run.last, snapshot=name, snapshot_at=run.last)
        self._claims.put(shard, claim)
        run.claim, run.unsaved, run.saved_at = claim, 0, self._clock()
        if older is not None and older != name:
            self._snapshots.remove(older)


def _chunks(deliveries: Iterable[Delivery]) -> Iterator[list[Delivery]]:
    left = iter(deliveries)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk


def _later(one: int | None, other: int) -> int:
    return other if one is None else max(one, other)
