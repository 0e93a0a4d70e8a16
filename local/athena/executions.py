"""Query executions: queued, run by a few threads, remembered."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from local.athena.engine import AthenaColumn, Cancellation, EngineStatistics, StatementKind
from local.athena.errors import (
    EngineFaultError,
    Fault,
    InvalidAthenaRequestError,
    StatementCancelledError,
    StatementFailedError,
)
from local.athena.results import ResultSet
from local.athena.runner import StatementRunner, Task, output_suffix, statement_type
from vintner.errors import VintnerError

_LOG: Final = logging.getLogger(__name__)
_REMEMBERED: Final = 10_000
_ERROR_TYPES: Final = {Fault.USER: 1006, Fault.SYSTEM: 1000, Fault.OTHER: 1000}
_ENGINE_VERSION: Final = {
    "SelectedEngineVersion": "AUTO",
    "EffectiveEngineVersion": "Athena engine version 3",
}


class State(StrEnum):
    """State of an execution."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether it will not change any more."""
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED)


@dataclass(kw_only=True, slots=True)
class Execution:
    """One execution; changed only by :class:`Executions`."""

    task: Task
    kind: StatementKind
    request: dict[str, Any]
    submitted_at: datetime
    state: State = State.QUEUED
    failure: StatementFailedError | None = None
    reason: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    statistics: EngineStatistics = field(default_factory=EngineStatistics)
    manifest: str | None = None
    columns: tuple[AthenaColumn, ...] = ()
    cancellation: Cancellation = field(default_factory=Cancellation)

    @property
    def location(self) -> str:
        """Where the result file is, or will be."""
        return f"{self.task.output}{self.task.id}{output_suffix(self.kind)}"

    def described(self) -> dict[str, Any]:
        """Return the ``QueryExecution`` structure of the API."""
        made = {
            "QueryExecutionId": self.task.id,
            "Query": self.task.text,
            "StatementType": statement_type(self.kind),
            "SubstatementType": self.kind.value,
            "ResultConfiguration": {"OutputLocation": self.location},
            "QueryExecutionContext": self.request.get("QueryExecutionContext", {}),
            "Status": self._status(),
            "Statistics": self._statistics(),
            "WorkGroup": self.task.workgroup,
            "EngineVersion": _ENGINE_VERSION,
        }
        if self.task.parameters:
            made["ExecutionParameters"] = list(self.task.parameters)
        return made

    def _status(self) -> dict[str, Any]:
        status: dict[str, Any] = {"State": self.state.value, "SubmissionDateTime": self.submitted_at.timestamp()}
        if self.completed_at is not None:
            status["CompletionDateTime"] = self.completed_at.timestamp()
        if self.reason is not None:
            status["StateChangeReason"] = self.reason
        if self.failure is not None:
            status["AthenaError"] = {
                "ErrorCategory": int(self.failure.fault),
                "ErrorType": _ERROR_TYPES[self.failure.fault],
                "Retryable": False,
                "ErrorMessage": str(self.failure),
            }
        return status

    def _statistics(self) -> dict[str, Any]:
        until = self.completed_at or self.submitted_at
        started = self.started_at or until
        total = round((until - self.submitted_at).total_seconds() * 1000)
        made: dict[str, Any] = {
            "EngineExecutionTimeInMillis": self.statistics.execution_millis,
            "DataScannedInBytes": self.statistics.scanned_bytes,
            "TotalExecutionTimeInMillis": total,
            "QueryQueueTimeInMillis": round((started - self.submitted_at).total_seconds() * 1000),
            "QueryPlanningTimeInMillis": self.statistics.planning_millis,
            "ResultReuseInformation": {"ReusedPreviousResult": False},
        }
        if self.manifest is not None:
            made["DataManifestLocation"] = self.manifest
        return made


class Executions:
    """Starts statements and keeps what became of them.

    Parameters
    ----------
    runner
        Runs them.
    threads
        How many run at once; the others are queued.
    kept_results
        Of how many executions the rows stay at hand; those of others are read back from their files.
    """

    def __init__(self, runner: StatementRunner, *, threads: int = 4, kept_results: int = 64) -> None:
        self._runner = runner
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="athena")
        self._kept_results = kept_results
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._executions: OrderedDict[str, Execution] = OrderedDict()
        self._results: OrderedDict[str, ResultSet] = OrderedDict()
        self._tokens: dict[str, tuple[dict[str, Any], str]] = {}

    def start(self, task: Task, request: dict[str, Any], token: str | None) -> str:
        """Queue a statement and return its id; the same token and request return the first one's.

        Raises
        ------
        AthenaRequestError
            The text does not parse, or the token was used for another request.
        """
        with self._starting:  # a token asked for twice at once still starts one statement
            if token in self._tokens:
                earlier, execution_id = self._tokens[token]
                if earlier != request:
                    raise InvalidAthenaRequestError(message="Idempotent parameters do not match")
                return execution_id
            kind = self._runner.check(task.text, task.workgroup)
            if token is not None:
                self._tokens[token] = (request, task.id)
        execution = Execution(task=task, kind=kind, request=request, submitted_at=datetime.now(UTC))
        with self._lock:
            self._executions[task.id] = execution
            while len(self._executions) > _REMEMBERED:
                self._executions.popitem(last=False)
        self._pool.submit(self._run, execution)
        return task.id

    def get(self, execution_id: str) -> Execution:
        """Return an execution.

        Raises
        ------
        InvalidAthenaRequestError
            There is none with this id.
        """
        execution = self._executions.get(execution_id)
        if execution is None:
            raise InvalidAthenaRequestError(message=f"QueryExecution {execution_id} was not found")
        return execution

    def stop(self, execution_id: str) -> None:
        """Cancel an execution that has not ended."""
        execution = self.get(execution_id)
        execution.cancellation.cancel()
        with self._lock:
            if execution.state is State.QUEUED:
                self._end(execution, State.CANCELLED, str(StatementCancelledError()))

    def ids(self, workgroup: str) -> list[str]:
        """Return the ids of a workgroup's executions, newest first."""
        with self._lock:
            return [each.task.id for each in reversed(self._executions.values()) if each.task.workgroup == workgroup]

    def results(self, execution_id: str) -> ResultSet:
        """Return the rows of an execution that succeeded.

        Raises
        ------
        InvalidAthenaRequestError
            It has not ended, or did not succeed.
        """
        execution = self.get(execution_id)
        if not execution.state.is_final:
            raise InvalidAthenaRequestError(
                message=f"Query has not yet finished. Current state: {execution.state.value}"
            )
        if execution.state is not State.SUCCEEDED:
            raise InvalidAthenaRequestError(
                message=f"Query did not finish successfully. Final query state: {execution.state.value}"
            )
        with self._lock:
            found = self._results.get(execution_id)
        return found or self._runner.reload(execution.location, execution.columns)

    def close(self) -> None:
        """Cancel what runs and end the threads."""
        for execution in list(self._executions.values()):
            if not execution.state.is_final:
                execution.cancellation.cancel()
        self._pool.shutdown(cancel_futures=True)

    def _run(self, execution: Execution) -> None:
        with self._lock:
            if execution.state.is_final:
                return
            execution.state, execution.started_at = State.RUNNING, datetime.now(UTC)
        try:
            outcome = self._runner.run(execution.task, execution.cancellation)
        except StatementCancelledError as error:
            self._finish(execution, State.CANCELLED, str(error))
        except StatementFailedError as error:
            execution.failure = error
            self._finish(execution, State.FAILED, str(error))
        except VintnerError as error:
            execution.failure = StatementFailedError(code="INVALID_ARGUMENTS", message=str(error))
            self._finish(execution, State.FAILED, str(execution.failure))
        except Exception as error:  # noqa: BLE001 - whatever it is, the client must see an end
            _LOG.exception("execution %s failed inside the endpoint", execution.task.id)
            execution.failure = EngineFaultError(
                code="GENERIC_INTERNAL_ERROR", message=f"{type(error).__name__}: {error}"
            )
            self._finish(execution, State.FAILED, str(execution.failure))
        else:
            execution.statistics, execution.manifest = outcome.statistics, outcome.manifest
            execution.columns = outcome.results.columns
            self._finish(execution, State.SUCCEEDED, None, outcome.results)

    def _finish(self, execution: Execution, state: State, reason: str | None, results: ResultSet | None = None) -> None:
        with self._lock:
            if results is not None:
                self._results[execution.task.id] = results
                while len(self._results) > self._kept_results:
                    self._results.popitem(last=False)
            self._end(execution, state, reason)

    def _end(self, execution: Execution, state: State, reason: str | None) -> None:
        execution.completed_at, execution.reason, execution.state = datetime.now(UTC), reason, state


def new_id() -> str:
    """Return a new execution id."""
    return str(uuid.uuid4())
