"""Feast, with its DuckDB offline store on Parquet files, in an environment and a process of its own.

Facts go into files with ``event_time`` as Feast's timestamp and ``knowledge_time`` as its created timestamp; the
spine is the entity data frame. **feast** retrieves as it does by default, **feast-created** with
``filter_by_created_timestamp=True``, which it has since 0.67. A tombstone is a row like any other to it, so its
``op`` is asked for as a feature, and an answer that says "delete" is taken as none; falling back to an older event
cannot be said. A delay is written into the file's created timestamp, a system cut is made by writing the file anew;
neither is part of the time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any, ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.pit.adapters.base import Answer, CannotAnswerError, SystemNotHereError
from benchmarks.pit.data import Data
from benchmarks.pit.queries import Kind, Query, Use
from vintner.bitemporal import EVENT_TIME, INGESTED_AT, INSTANT, KNOWLEDGE_TIME, OP, REVISION_SEQ
from vintner.errors import VintnerError

_HERE: Final = Path(__file__).parent
REQUIREMENTS: Final = _HERE / "feast-requirements.txt"
_WORKER: Final = _HERE / "feast_worker.py"
_SECONDS: Final = 1_200
VERSION: Final = (EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ)


class FeastFailedError(VintnerError, RuntimeError):
    """The process that runs Feast could not do what it was asked."""

    template = "Feast could not answer: {problem}"


def environment() -> Path:
    """Return the folder of Feast's environment, whether it is there or not; named after what it holds."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "vintner" / f"feast-{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]}"


def is_installed() -> bool:
    """Whether Feast's environment is whole."""
    return (environment() / "complete").is_file()


def install() -> Path:
    """Make Feast's environment if it is not there, and return its Python.

    Raises
    ------
    SystemNotHereError
    """
    folder = environment()
    python = folder / "bin" / "python"
    if is_installed():
        return python
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    for command in (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(REQUIREMENTS)],
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise SystemNotHereError(system="Feast", reason="uv is needed to install it and was not found") from error
        if done.returncode:
            raise SystemNotHereError(system="Feast", reason=f"installing it failed: {done.stderr.strip()[-500:]}")
    (folder / "complete").touch()
    return python


class _Worker:
    """The process in Feast's environment: a job goes in as a line, the reply comes out as a line."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [str(install()), str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "FEAST_USAGE": "False"},
        )

    def ask(self, job: dict[str, Any], *, within: float) -> dict[str, Any]:
        """Return the reply to a job; a process that takes longer than ``within`` seconds is ended."""
        clock = threading.Timer(within, self._process.kill)
        clock.start()
        try:
            _stream(self._process.stdin).write(json.dumps(job) + "\n")
            _stream(self._process.stdin).flush()
            line = _stream(self._process.stdout).readline()
        finally:
            clock.cancel()
        if not line:
            raise CannotAnswerError(reason=f"no answer within {within:,.0f} s, or out of memory")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise FeastFailedError(problem=reply["error"])
        return reply

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            _stream(stream).close()


class FeastAdapter:
    """get_historical_features as it is by default."""

    name: ClassVar[str] = "feast"
    about: ClassVar[str] = "default: created timestamp breaks ties only: looks ahead"
    filter_by_created: ClassVar[bool] = False

    def prepare(self, data: Data) -> None:
        """Write the spine as Feast names its columns, and start the process."""
        self._data = data
        self._folder = Path(tempfile.mkdtemp(prefix="pit-feast-"))
        spine = data.spine().rename_columns({"time": "event_timestamp"})
        pq.write_table(spine, self._folder / "spine.parquet")
        self._worker = _Worker()

    def run(self, query: Query) -> Answer:
        """Retrieve; the time is that of get_historical_features alone, its answer as an Arrow table."""
        if query.kind not in (Kind.JOIN, Kind.LATEST):
            raise CannotAnswerError(reason="historical retrieval gives one row per row of a spine, and no more")
        views = {use.table: self._view(use, query) for use in query.uses}
        self._worker.ask({"repository": str(self._repository()), "views": views}, within=_SECONDS)
        spine, answer = self._spine(query), self._folder / "answer.parquet"
        features = [f"{table}:{value}" for table, view in views.items() for value in view["values"]]
        job = {"spine": str(spine), "features": features, "filter_by_created": self.filter_by_created}
        reply = self._worker.ask({**job, "answer": str(answer)}, within=_SECONDS)
        return Answer(self._as_asked(pq.read_table(answer), query), reply["seconds"])

    def close(self) -> None:
        """End the process and remove its files."""
        self._worker.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _repository(self) -> Path:
        folder = self._folder / "repository"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def _view(self, use: Use, query: Query) -> dict[str, Any]:
        """Write the file of one feature view, and return how it is declared."""
        facts = self._data.facts(use.table)
        if query.system_at is not None:
            facts = facts.filter(pc.less_equal(facts[INGESTED_AT], pa.scalar(query.system_at, INSTANT)))
        columns = {name: facts[name] for name in (*self._data.shape.key_names, EVENT_TIME)}
        columns[KNOWLEDGE_TIME] = pc.add(facts[KNOWLEDGE_TIME], pa.scalar(use.delay, pa.duration("us")))
        values = {out: facts[name] for out, name in use.outputs.items()} | {f"{use.table}_op": facts[OP]}
        if query.kind is Kind.LATEST:
            values |= {f"{use.table}_{name}": facts[name].cast(pa.int64()) for name in VERSION}
        file = self._folder / f"{use.table}.parquet"
        pq.write_table(pa.table(columns | values), file)
        keys = {key.name: str(key.type) for key in self._data.shape.key_fields}
        ttl = 0 if use.ttl is None else int(use.ttl.total_seconds() * 1_000_000)
        kinds = {name: str(column.type) for name, column in values.items()}
        return {"file": str(file), "keys": keys, "ttl_us": ttl, "values": kinds}

    def _spine(self, query: Query) -> Path:
        if query.kind is Kind.JOIN:
            return self._folder / "spine.parquet"
        names = list(self._data.shape.key_names)
        everybody = self._data.facts(query.uses[0].table).group_by(names).aggregate([])
        at = pa.repeat(pa.scalar(query.at, INSTANT), everybody.num_rows)
        path = self._folder / "everybody.parquet"
        pq.write_table(everybody.append_column("event_timestamp", at), path)
        return path

    def _as_asked(self, found: pa.Table, query: Query) -> pa.Table:
        """Return Feast's answer under the names of the query, with what it says is deleted taken as none."""
        for use in query.uses:
            gone = pc.equal(found[f"{use.table}_op"], "delete")
            for name in use.outputs:
                found = found.set_column(found.column_names.index(name), name, pc.if_else(gone, None, found[name]))
        if query.kind is Kind.JOIN:
            return found
        (use,) = query.uses
        found = found.filter(pc.equal(found[f"{use.table}_op"], "upsert"))
        return found.rename_columns([name.removeprefix(f"{use.table}_") for name in found.column_names])


class FeastCreatedAdapter(FeastAdapter):
    """get_historical_features with filter_by_created_timestamp=True."""

    name: ClassVar[str] = "feast-created"
    about: ClassVar[str] = "filters by created timestamp; a tombstone is a row like any other"
    filter_by_created: ClassVar[bool] = True


def _stream(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise FeastFailedError(problem="its process has no pipe")
    return stream
