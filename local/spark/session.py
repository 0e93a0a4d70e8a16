"""Spark in a process of its own: one statement in, its rows out as an Arrow table."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Final

import pyarrow as pa

from local.ground.config import PROJECT
from local.spark.errors import SparkError, SparkStartError
from local.spark.settings import SparkHome

_HEAD: Final = struct.Struct(">cI")
_LENGTH: Final = struct.Struct(">I")
_TAIL_BYTES: Final = 4000
_GRACE_SECONDS: Final = 20.0


class Spark:
    """A session; usable as a context manager, and from several threads, one statement at a time.

    Parameters
    ----------
    home
        Its settings.
    """

    def __init__(self, home: SparkHome) -> None:
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        self._is_ready = False
        self.log: Path = home.folder / "spark.log"

    def start(self) -> None:
        """Start the session; the first statement waits until it is ready."""
        self._home.write()
        environment = self._home.variables()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local.spark.worker"],
                cwd=PROJECT,
                env={**environment, "TMPDIR": str(self._home.folder / "tmp")},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def sql(self, statement: str) -> pa.Table:
        """Run one statement.

        Raises
        ------
        SparkError
            It was refused.
        SparkStartError
            The session did not come up, or ended.
        """
        with self._turn:
            if not self._is_ready:
                self._receive()
                self._is_ready = True
            process = self._running()
            assert process.stdin is not None  # noqa: S101 - it was asked for
            encoded = statement.encode()
            try:
                process.stdin.write(_LENGTH.pack(len(encoded)) + encoded)
                process.stdin.flush()
            except OSError as error:
                raise self._ended() from error
            return self._receive()

    def stop(self) -> None:
        """End the session and its virtual machine; do nothing if it does not run."""
        process, self._process, self._is_ready = self._process, None, False
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Spark:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise self._ended("it was not started")
        return self._process

    def _receive(self) -> pa.Table:
        process = self._running()
        assert process.stdout is not None  # noqa: S101 - it was asked for
        head = process.stdout.read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise self._ended()
        mark, length = _HEAD.unpack(head)
        payload = process.stdout.read(length)
        if mark == b"-":
            raise SparkError(**json.loads(payload))
        return pa.ipc.open_stream(payload).read_all()

    def _ended(self, reason: str = "it ended by itself") -> SparkStartError:
        try:
            tail = self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
        except OSError:
            tail = ""
        return SparkStartError(reason=reason, log=self.log, tail=tail or "(empty)")
