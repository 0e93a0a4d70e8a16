"""An Athena engine whose queries can be caught while they run."""

from __future__ import annotations

import threading

from local.athena import (
    Cancellation,
    Capabilities,
    EngineResult,
    SqlEngine,
    Statement,
)


class SlowEngine:
    """An engine that runs until it is stopped, for statements that say SLOW; another engine runs the rest."""

    def __init__(self, engine: SqlEngine) -> None:
        self._engine = engine
        self.started = threading.Event()

    @property
    def capabilities(self) -> Capabilities:
        return self._engine.capabilities

    def check(self, statement: Statement) -> None:
        self._engine.check(statement)

    def close(self) -> None:
        self._engine.close()

    def run(self, statement: Statement, cancellation: Cancellation) -> EngineResult:
        if "slow" in statement.text:
            stopped = threading.Event()
            with cancellation.calling(stopped.set):
                self.started.set()
                stopped.wait()
            cancellation.check()
        return self._engine.run(statement, cancellation)
