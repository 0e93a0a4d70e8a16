"""The page on streaming shows what its program prints, commands that there are, and numbers that hold."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from local.ground.config import PROJECT
from tests.support.pages import printed_by, shown_on
from vintner.aws.__main__ import main
from vintner.aws.rebuild_state import SPANS
from vintner.marketdata.engine import HORIZONS, EngineConfig
from vintner.marketdata.mending import SETTLED_AFTER
from vintner.messaging.streams import LANES

PAGE = (PROJECT / "docs" / "streaming.md").read_text(encoding="utf-8")


def test_the_page_shows_what_the_program_prints() -> None:
    assert printed_by("life_of_a_trade.py") == shown_on(PAGE, "life_of_a_trade.py")


def test_every_command_shown_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    shown = {tuple(words.split()[:2]) for words in re.findall(r"python -m vintner\.aws ([a-z_ -]+)", PAGE)}
    assert shown == {("rebuild-state", "trades_processor"), ("gaps", "list"), ("bars", "check")}
    for group, action in shown:
        words = [group] if group == "rebuild-state" else [group, action]
        with pytest.raises(SystemExit, match="0"):
            main([*words, "--help"])
        told = capsys.readouterr().out
        assert {"--since"} <= set(told.split()) or group != "rebuild-state"


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([a-z-]+\.md)\)", PAGE):
        assert (PROJECT / "docs" / link).exists(), link


def test_the_numbers_are_those_of_the_code() -> None:
    assert LANES == 64
    assert (EngineConfig().tick, EngineConfig().grace, EngineConfig().ids) == (*[timedelta(milliseconds=250)] * 2, 512)
    told = (timedelta(seconds=15), timedelta(minutes=15), timedelta(days=2))
    assert (HORIZONS["1s"], HORIZONS["1m"], HORIZONS["1d"]) == told
    assert list(SPANS.values()) == [timedelta(days=5), timedelta(days=1), timedelta(hours=2)]
    assert timedelta(minutes=5) == SETTLED_AFTER
