"""The command line, the steps it runs, and the making of the environment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.environments import get
from local import bootstrap
from local.__main__ import COMMANDS, main
from local.commands import run_step
from local.differences import DIFFERENCES
from local.errors import StepFailedError
from local.ground.config import PROJECT


def test_lines_are_handed_on_as_they_come(tmp_path: Path) -> None:
    seen: list[str] = []
    code = "import sys; print('one'); print('two', file=sys.stderr)"
    last = run_step("Step", [sys.executable, "-c", code], environment=os.environ, folder=tmp_path, on_event=seen.append)
    assert sorted(seen) == sorted(last) == ["one", "two"]


def test_a_failed_step_shows_the_end_of_its_output(tmp_path: Path) -> None:
    code = "print('the cause'); raise SystemExit(3)"
    with pytest.raises(StepFailedError) as failure:
        run_step("Step", [sys.executable, "-c", code], environment={}, folder=tmp_path, on_event=print)
    assert (failure.value.data["code"], failure.value.data["tail"]) == (3, "the cause")


def test_status_of_a_ground_that_is_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json", "--state-dir", str(tmp_path)]) == 1
    assert json.loads(capsys.readouterr().out) == {"running": False, "state_dir": str(tmp_path)}


@pytest.mark.parametrize("command", ["env", "register", "deploy"])
def test_a_command_without_its_ground_says_what_to_do(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--state-dir", str(tmp_path)]) == 1
    assert "make up" in capsys.readouterr().err


def test_every_command_is_described() -> None:
    assert all(command.__doc__ for command in COMMANDS.values())


def test_every_target_of_the_makefile_is_described_and_real() -> None:
    text = (PROJECT / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: ([a-z-]+)$", text, re.MULTILINE))
    described = set(re.findall(r"^([a-z-]+):.*## .+$", text, re.MULTILINE))
    assert (
        phony == described >= {"help", "demo", "test", "test-fast", "up", "down", "deploy", "check", "synth", "clean"}
    )


def test_differences_are_stated_once_and_whole() -> None:
    assert len({difference.id for difference in DIFFERENCES}) == len(DIFFERENCES)
    for difference in DIFFERENCES:
        assert all(len(text) > 10 for text in (difference.what, difference.reason, difference.judged_by))
    stated = {difference.what.split()[0] for difference in DIFFERENCES if difference.id.startswith("cloudformation-")}
    assert stated == set(get("laptop").left_out)


def test_an_old_python_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bootstrap, "OLDEST_PYTHON", (99, 1))
    assert bootstrap.main() == 1
    assert "Python 99.1 or newer is needed" in capsys.readouterr().err


def test_a_missing_node_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(bootstrap.SetupError, match="node was not found; install Node 20"):
        bootstrap.require_node()


def test_an_old_node_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho v18.1.0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(bootstrap.SetupError, match=r"Node 20 or newer is needed and this machine's is v18\.1\.0"):
        bootstrap.require_node()


def test_a_folder_is_made_once_for_the_same_inputs(tmp_path: Path) -> None:
    lock = tmp_path / "some.lock"
    lock.write_text("a==1\n")
    made: list[str] = []
    inputs = ([str(lock)], ["3.11"])

    def install() -> None:
        made.append(lock.read_text())

    assert bootstrap.update("it", str(tmp_path), inputs, install)
    assert not bootstrap.update("it", str(tmp_path), inputs, install)
    lock.write_text("a==2\n")
    assert bootstrap.update("it", str(tmp_path), inputs, install)
    assert made == ["a==1\n", "a==2\n"]


def test_a_half_made_folder_is_made_again(tmp_path: Path) -> None:
    def fail() -> None:
        raise bootstrap.SetupError("no network")

    inputs: tuple[list[str], list[str]] = ([], ["1"])
    assert bootstrap.update("it", str(tmp_path), inputs, lambda: None)
    with pytest.raises(bootstrap.SetupError):
        bootstrap.update("it", str(tmp_path), ([], ["2"]), fail)
    assert bootstrap.update("it", str(tmp_path), inputs, lambda: None)


def test_the_bootstrap_needs_nothing_installed() -> None:
    code = "import runpy; runpy.run_path('local/bootstrap.py', run_name='imported')"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=PROJECT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
