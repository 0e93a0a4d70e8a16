"""The laptop ground's processes, and the deployment of the platform to it or to an account."""

from local.ground.config import DEFAULT_STATE_DIR, PROJECT, SQL_ENGINES, TRINO, GroundConfig
from local.ground.deploy import deploy, deployment, repair
from local.ground.deployment import Deployment
from local.ground.ground import Ground

__all__ = [
    "DEFAULT_STATE_DIR",
    "PROJECT",
    "SQL_ENGINES",
    "TRINO",
    "Deployment",
    "Ground",
    "GroundConfig",
    "deploy",
    "deployment",
    "repair",
]
