"""The measuring command of landing at a tiny size. Nothing here looks at how long anything took."""

from __future__ import annotations

import argparse

from benchmarks import lander


def test_landing_is_measured_against_a_bare_append() -> None:
    options = argparse.Namespace(deliveries=3, records=10, symbols=4, before=1, repeats=1, seed=7)
    found = lander.measure(options)
    assert [finding.unit for finding in found.findings] == ["ms"] * 3 + ["a second"] * 3 + ["times"]
    assert {"bare", "lander", "lander, redelivered"} < set(found.details)
