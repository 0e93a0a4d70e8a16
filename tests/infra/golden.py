"""How many resources of each type each environment has: read by a test, written by `python -m tests.infra.golden`."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from infra.environments import ENVIRONMENTS
from tests.infra.synthesis import Synthesis, synthesise

PATH: Final = Path(__file__).with_name("golden_resources.json")
COUNTED_ELSEWHERE: Final = {"AWS::Athena::NamedQuery", "AWS::Athena::PreparedStatement"}
"""There are as many as files; another test holds them to that."""


def summary(synthesis: Synthesis) -> dict[str, dict[str, int]]:
    """Resource counts by stack and type."""
    return {
        stack: dict(
            sorted(
                Counter(
                    body["Type"] for body in template["Resources"].values() if body["Type"] not in COUNTED_ELSEWHERE
                ).items()
            )
        )
        for stack, template in sorted(synthesis.templates.items())
    }


def main() -> None:
    """Accept the present templates."""
    with tempfile.TemporaryDirectory() as folder:
        found = {name: summary(synthesise(e, Path(folder) / name)) for name, e in ENVIRONMENTS.items()}
    PATH.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
