"""A long-lived child process that any later command can find again, and end with all it started.

1. Its parent takes a lock on a file and hands the open file on; the kernel keeps the lock for exactly as long as
   the child lives. A process id alone would not do: after a crash or a reboot it may name somebody else's process.
2. The child leads its own process group, so what it starts can be ended with it.
3. What outlives a killed leader is recognised by the ground's own temporary folder in its command line.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from local.errors import GroundStartError, GroundStopError

_POLL_SECONDS: Final = 0.05
_KILL_SECONDS: Final = 10.0
_LOG_LIMIT_BYTES: Final = 20_000_000


class ChildProcess:
    """One child process of the ground, known by ``name`` in a folder of run files.

    Parameters
    ----------
    name
        What the process is called in messages and in its file names.
    run_dir
        Folder of its lock file (which also tells the process id).
    log
        File that receives its output, appended to.
    """

    def __init__(self, name: str, *, run_dir: Path, log: Path) -> None:
        self.name = name
        self.log = log
        self._lock = run_dir / f"{name.lower()}.pid"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the process runs, whoever started it."""
        if self._process is not None:
            self._process.poll()  # collect it if it ended: it would stay a zombie
        try:
            descriptor = os.open(self._lock, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not _try_lock(descriptor, fcntl.LOCK_SH)  # shared: askers do not see each other
        finally:
            os.close(descriptor)

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        if not self.is_alive:
            return None
        text = self._lock.read_text(encoding="ascii").strip()
        return int(text) if text else None

    def start(self, command: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> None:
        """Start the process in a group of its own; it outlives its parent.

        Raises
        ------
        GroundStartError
            It runs already.
        """
        with self._claim() as descriptor, self._open_log() as log:
            self._process = subprocess.Popen(
                list(command),
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(descriptor,),
                start_new_session=True,
                umask=0o077,
            )
            os.write(descriptor, f"{self._process.pid}\n".encode("ascii"))

    def stop(self, *, seconds: float) -> None:
        """Ask the process to end, wait for it, then end whatever it left behind.

        Raises
        ------
        GroundStopError
            It did not end in time and was killed.
        """
        pid = self.pid
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        ended = self._wait(seconds)
        _kill_group(pid)
        if not ended:
            self._wait(_KILL_SECONDS)
            raise GroundStopError(process=self.name, pid=pid, seconds=seconds)

    def kill(self) -> None:
        """End the process and all it started at once, without a chance to write anything."""
        pid = self.pid
        if pid is not None:
            _kill_group(pid)
            self._wait(_KILL_SECONDS)

    def tail(self, lines: int = 25) -> str:
        """Return the last lines of its log."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 200 * lines))
                text = log.read().decode("utf-8", errors="replace")
        except FileNotFoundError:
            return "(empty)"
        return "\n".join(text.splitlines()[-lines:]) or "(empty)"

    def _wait(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.is_alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    @contextmanager
    def _claim(self) -> Iterator[int]:
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not self._lock_soon(descriptor):
                raise GroundStartError(
                    process=self.name, reason="it is already running", log=self.log, tail=self.tail()
                )
            os.ftruncate(descriptor, 0)
            yield descriptor
        finally:
            os.close(descriptor)  # the child has its own copy of it, and with it the lock

    def _lock_soon(self, descriptor: int) -> bool:
        """Take the lock; somebody who only asks whether the process runs holds it for a moment."""
        for _ in range(10):
            if _try_lock(descriptor, fcntl.LOCK_EX):
                return True
            time.sleep(_POLL_SECONDS)
        return False

    @contextmanager
    def _open_log(self) -> Iterator[int]:
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def find_workers(folder: Path, function: str = "") -> list[int]:
    """Return the ids of handlers' workers that run from ``folder``: those of one function, or all.

    A worker runs a script in the ground's temporary folder, in a folder named for its function.
    """
    script = f"\0{folder}{os.sep}ministack-lambda-{function}"
    return [pid for pid, command in _processes() if script in command]


def kill_strays(folder: Path) -> list[int]:
    """Kill handlers' workers that run from ``folder``; return their process ids.

    When a worker's parent was killed with ``kill -9`` a busy worker lives on, and would write into a ground that has
    since been started anew.
    """
    found = find_workers(folder)
    for pid in found:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return found


def _processes() -> Iterator[tuple[int, str]]:
    """Yield the id and the command line (words separated by NUL) of every process of this machine."""
    if Path("/proc/self/cmdline").exists():
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                yield int(entry.parent.name), entry.read_bytes().decode("utf-8", errors="replace")
        return
    listing = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=", "-o", "command="], capture_output=True, text=True, check=False
    )
    for line in listing.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        yield int(pid), command.replace(" ", "\0")


def _kill_group(leader: int) -> None:
    # EPERM is what macOS answers when only zombies are left in the group.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _try_lock(descriptor: int, kind: int) -> bool:
    """Take the lock, or return False when a living process holds it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
