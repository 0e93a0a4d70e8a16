"""No resource comes or goes unnoticed."""

from __future__ import annotations

import json

from tests.infra import golden
from tests.infra.synthesis import Synthesis


def test_resources_are_those_that_were_accepted(synthesis: Synthesis):
    accepted = json.loads(golden.PATH.read_text(encoding="utf-8"))[synthesis.environment.name]
    assert golden.summary(synthesis) == accepted, "if this change is meant, run `python -m tests.infra.golden`"
