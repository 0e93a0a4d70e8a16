"""The page on revisions shows what its program prints."""

from __future__ import annotations

import re

from local.ground.config import PROJECT
from tests.support.pages import printed_by, shown_on
from vintner.aws.lake_commands import COMMANDS, OPTIONS

PAGE = (PROJECT / "docs" / "revisions.md").read_text(encoding="utf-8")


def test_the_page_shows_what_the_program_prints() -> None:
    assert printed_by("revisions.py") == shown_on(PAGE, "revisions.py")


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
