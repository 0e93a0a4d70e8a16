"""The first-steps page, as a newcomer follows it; and the same question in SQL and over HTTP."""

from __future__ import annotations

import re
import subprocess
import sys
import time

from local.ground import Deployment, Ground
from local.ground.config import PROJECT
from tests.support.athena_query import ask_athena

PAGE = (PROJECT / "docs" / "first-steps.md").read_text(encoding="utf-8")
ANSWERS = ["nothing was known", "2.0", "2.3", "1.8", "2.25"]


def test_the_examples_of_the_first_steps_give_the_answers_of_the_model(ground: Ground, platform: Deployment) -> None:
    assert run(ground, platform, "state_facts.py") == "sent 5 records\n"
    deadline = time.monotonic() + 60
    while (answers := [line.split("  ")[1] for line in run(ground, platform, "ask.py").splitlines()]) != ANSWERS:
        assert time.monotonic() < deadline, answers
        time.sleep(0.5)
    assert by_sql(ground, platform, "2024-09-11 00:00:00") == "1.8"


def test_a_late_trade_revises_the_bar_that_the_page_shows(ground: Ground, platform: Deployment) -> None:
    sent, _, titles, *rows = run(ground, platform, "stream_trades.py").splitlines()
    shown = re.search(r"```\n(sent 121 trades.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    assert sent.startswith("sent 121 trades, one of them ")
    told = [row.split() for row in rows]
    expected = [row.split() for row in shown[1].splitlines()[3:]]
    assert shown[1].splitlines()[2] == titles
    assert [row[1:5] for row in told] == [row[1:5] for row in expected]
    first, second, revised = told
    assert first[0] == revised[0] != second[0]
    assert first[5] < second[5] < revised[5]


def run(ground: Ground, platform: Deployment, example: str) -> str:
    command = [sys.executable, str(PROJECT / "docs" / "examples" / example)]
    environment = {**ground.environment(), **platform.settings()}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout


def by_sql(ground: Ground, platform: Deployment, at: str) -> str:
    """Ask Athena by the prepared statement that the page names."""
    prepared = f"EXECUTE as_of USING 'acme.eps', '{at} UTC', '{at} UTC'"
    (answer,) = ask_athena(ground.client("athena"), platform, prepared)
    return str(answer["value"])
