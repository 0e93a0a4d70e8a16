"""A child process that can be found, stopped, killed, and swept up after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.errors import GroundStartError, GroundStopError
from local.ground.process import ChildProcess, kill_strays
from local.probes import wait_for

WAITS = "import signal; print('up', flush=True); signal.pause()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
HAS_CHILD = (
    "import subprocess, sys, signal; "
    "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']); "
    "print(child.pid, flush=True); signal.pause()"
)


@pytest.fixture
def child(tmp_path: Path) -> Iterator[ChildProcess]:
    made = ChildProcess("Probe", run_dir=tmp_path, log=tmp_path / "probe.log")
    yield made
    made.kill()


def run(child: ChildProcess, code: str) -> str:
    """Start Python code and return the first line it printed."""
    child.start([sys.executable, "-c", code], environment=os.environ, folder=Path.cwd())
    return wait_for(lambda: next((line for line in child.tail().splitlines() if line != "(empty)"), None), "its line")


def is_there(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():  # a killed process stays in the table until somebody collects it
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    return subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode == 0


def test_another_command_finds_it_and_stops_it(child: ChildProcess, tmp_path: Path) -> None:
    run(child, WAITS)
    other = ChildProcess("Probe", run_dir=tmp_path, log=tmp_path / "probe.log")
    assert other.is_alive
    assert other.pid == child.pid
    other.stop(seconds=30)
    assert not child.is_alive
    assert child.pid is None


def test_it_cannot_be_started_twice(child: ChildProcess) -> None:
    run(child, WAITS)
    with pytest.raises(GroundStartError) as refusal:
        run(child, WAITS)
    assert "already running" in str(refusal.value)


def test_a_stale_file_names_nobody(child: ChildProcess, tmp_path: Path) -> None:
    (tmp_path / "probe.pid").write_text(f"{os.getpid()}\n")  # after a reboot the number may be anybody's
    assert not child.is_alive
    child.stop(seconds=1)
    child.kill()
    assert run(child, WAITS) == "up"


def test_what_does_not_listen_is_killed_and_reported(child: ChildProcess) -> None:
    run(child, DEAF)
    with pytest.raises(GroundStopError):
        child.stop(seconds=0.2)
    assert not child.is_alive


@pytest.mark.parametrize("end", [lambda c: c.stop(seconds=30), lambda c: c.kill()], ids=["stop", "kill"])
def test_what_it_started_ends_with_it(child: ChildProcess, end) -> None:
    grandchild = int(run(child, HAS_CHILD))
    assert is_there(grandchild)
    end(child)
    wait_for(lambda: None if is_there(grandchild) else True, "the end of the grandchild")


def test_workers_of_a_killed_parent_are_swept(tmp_path: Path) -> None:
    folder = tmp_path / "ministack-lambda-some-function-x1"
    folder.mkdir()
    script = folder / "_worker.py"
    script.write_text(WAITS)
    worker = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.DEVNULL)
    bystander = subprocess.Popen([sys.executable, "-c", WAITS, str(tmp_path)], stdout=subprocess.DEVNULL)
    try:
        assert wait_for(lambda: kill_strays(tmp_path) or None, "the worker") == [worker.pid]
        assert worker.wait() == -signal.SIGKILL
        assert bystander.poll() is None
    finally:
        for process in (worker, bystander):
            process.kill()
            process.wait()


def test_the_log_shows_its_end(child: ChildProcess) -> None:
    assert child.tail() == "(empty)"
    child.log.write_text("".join(f"line {number}\n" for number in range(100)))
    assert child.tail(lines=2) == "line 98\nline 99"
