"""The tables of the page on normalisation are what the declarations say."""

from __future__ import annotations

import re
import runpy

import pytest

from local.ground.config import PROJECT

PAGE = (PROJECT / "docs" / "normalisation.md").read_text(encoding="utf-8")
TABLES = runpy.run_path(str(PROJECT / "docs" / "examples" / "normalisation_tables.py"))["TABLES"]


@pytest.mark.parametrize("name", TABLES)
def test_the_page_shows_what_is_declared(name: str) -> None:
    shown = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- end -->", PAGE, re.DOTALL)
    assert shown is not None
    assert shown[1] == TABLES[name]()
