"""The measuring command of the engine of trades at a tiny size."""

from __future__ import annotations

import argparse

from benchmarks import engine


def test_the_engine_is_measured() -> None:
    options = argparse.Namespace(trades=4_000, symbols=10, state_symbols=20, repeats=1, seed=7)
    result = engine.measure(options)
    assert [finding.target for finding in result.findings if finding.target] == [
        "at least 1,000,000", "at most 1", "at most 2", "at most 5",
    ]  # fmt: skip
    assert result.details["busy"]["bars"] > 0
    assert result.details["sparse"]["features"] > 0
    assert result.details["state"]["bytes"] > 0
