"""The page on revisions shows what its program prints."""

from __future__ import annotations

import re
import subprocess
import sys

from local.ground.config import PROJECT
from vintner.aws.lake_commands import COMMANDS, OPTIONS

PAGE = (PROJECT / "docs" / "revisions.md").read_text(encoding="utf-8")


def test_the_page_shows_what_the_program_prints() -> None:
    shown = re.search(r"docs/examples/revisions\.py\n\n```\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    command = [sys.executable, str(PROJECT / "docs/examples/revisions.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == shown[1]


def test_every_command_shown_has_the_options_it_is_shown_with() -> None:
    shown = re.findall(r"python -m vintner\.aws (\S+)((?:[^\n\\]|\\\n)*)", PAGE)
    assert {name for name, _ in shown} >= {
        "draft",
        "audit",
        "publish",
        "revisions",
        "reproduce",
        "rollback",
        "maintain",
    }
    for name, rest in shown:
        options = {option.rstrip("?") for option in COMMANDS[name].options}
        assert set(re.findall(r"--([a-z-]+)", rest)) <= options
        assert options <= {option.rstrip("?") for option in OPTIONS}
