"""Every environment, synthesised once for all infra tests."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from infra.environments import ENVIRONMENTS
from tests.infra.synthesis import Synthesis, synthesise


@pytest.fixture(scope="session")
def syntheses(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Synthesis]:
    folder = tmp_path_factory.mktemp("synthesis")
    return {name: synthesise(environment, folder / name) for name, environment in ENVIRONMENTS.items()}


@pytest.fixture(params=list(ENVIRONMENTS))
def synthesis(request: pytest.FixtureRequest, syntheses: Mapping[str, Synthesis]) -> Synthesis:
    return syntheses[request.param]
