"""Every example in a docstring of the library runs, and says what it says there."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import vintner

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(vintner.__path__, "vintner.")
    if not module.ispkg and not module.name.endswith("__main__") and ".kernel-" not in module.name
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
