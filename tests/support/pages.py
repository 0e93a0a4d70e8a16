"""Pages of the documentation that show what their program prints."""

from __future__ import annotations

import re
import subprocess
import sys

from local.ground.config import PROJECT


def shown_on(page: str, example: str) -> str:
    """Return what a page shows as the output of an example: the first block of text after it is named."""
    _, _, after = page.partition(f"docs/examples/{example}\n")
    shown = re.search(r"```\n(.*?)```", after, re.DOTALL)
    assert shown is not None, f"the page shows nothing that {example} prints"
    return shown[1]


def printed_by(example: str) -> str:
    """Return what an example prints."""
    command = [sys.executable, str(PROJECT / "docs" / "examples" / example)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
