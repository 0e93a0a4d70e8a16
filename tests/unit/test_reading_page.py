"""The page on reading as of is what its programs print and draw."""

from __future__ import annotations

import subprocess
import sys

import pytest

from local.ground.config import PROJECT
from tests.support.pages import printed_by, shown_on

PAGE = (PROJECT / "docs" / "reading-as-of.md").read_text(encoding="utf-8")
EXAMPLES = PROJECT / "docs" / "examples"


@pytest.mark.parametrize("example", ["reading_as_of.py", "leaks_and_restatements.py"])
def test_the_page_shows_what_the_program_prints(example: str) -> None:
    assert printed_by(example) == shown_on(PAGE, example)


def test_the_picture_is_what_the_program_draws() -> None:
    shown = (PROJECT / "docs" / "uk-gdp-by-vintage.svg").read_text(encoding="utf-8")
    code = "import plot_vintages; print(plot_vintages.picture(), end='')"
    drawn = subprocess.run(
        [sys.executable, "-c", code], cwd=EXAMPLES, capture_output=True, text=True, check=True, timeout=120
    ).stdout
    assert drawn == shown
    assert "2008 Q3 \N{MINUS SIGN}1.64" in drawn
