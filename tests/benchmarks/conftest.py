"""Small data sets of the point-in-time benchmark, made once per run of the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.pit.data import Data
from benchmarks.pit.generate import generate
from benchmarks.pit.shapes import Shape, shape_of

MakeData = Callable[[Shape], Data]


@pytest.fixture(scope="session")
def make_data(tmp_path_factory: pytest.TempPathFactory) -> MakeData:
    root: Path = tmp_path_factory.mktemp("pit")

    def make(shape: Shape) -> Data:
        data = Data.below(root, shape)
        if not data.is_generated:
            generate(shape, data.folder)
        return data

    return make


@pytest.fixture(params=[("one", 1), ("two", 3)], ids=["one key", "two keys, skewed"])
def data(request: pytest.FixtureRequest, make_data: MakeData) -> Data:
    keys, skew = request.param
    return make_data(shape_of("XS", keys=keys, skew=skew))
