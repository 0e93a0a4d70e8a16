"""The page on gaps and replay shows what its program prints, and commands that there are."""

from __future__ import annotations

import re

import pytest

from local.ground.config import PROJECT
from tests.support.pages import printed_by, shown_on
from vintner.aws.__main__ import main
from vintner.marketdata.gaps import Cause, GapKind, GapState

PAGE = (PROJECT / "docs" / "gaps-and-replay.md").read_text(encoding="utf-8")


def test_the_page_shows_what_the_program_prints() -> None:
    assert printed_by("gaps_and_replay.py") == shown_on(PAGE, "gaps_and_replay.py")


def test_every_command_shown_has_the_options_it_is_shown_with(capsys: pytest.CaptureFixture[str]) -> None:
    shown = re.findall(r"python -m vintner\.aws (gaps \S+|replay)((?:[^\n\\]|\\\n)*)", PAGE)
    assert {name for name, _ in shown} == {"gaps list", "gaps show", "gaps repair", "replay"}
    for name in {name for name, _ in shown}:
        with pytest.raises(SystemExit, match="0"):
            main([*name.split(), "--help"])
        told = capsys.readouterr().out
        used = {option for one, rest in shown if one == name for option in re.findall(r"--[a-z-]+", rest)}
        assert used <= set(re.findall(r"--[a-z-]+", told))


def test_the_page_names_every_kind_state_and_cause() -> None:
    for kind in (GapKind, GapState, Cause):
        assert all(f"`{one.value}`" in PAGE for one in kind)
