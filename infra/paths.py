"""Where the things that are deployed live in the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
FUNCTIONS: Final = ROOT / "functions"
LIBRARY_LAYER: Final = ROOT / "layers" / "vintner"
STRIP_LIST: Final = ROOT / "layers" / "dependencies" / "strip.txt"
LAYER_LOCK: Final = ROOT / "requirements" / "layer.lock"
NAMED_QUERIES: Final = ROOT / "athena" / "named_queries"
PREPARED_STATEMENTS: Final = ROOT / "athena" / "prepared"
