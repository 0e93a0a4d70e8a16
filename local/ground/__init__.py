"""The laptop ground's processes: MiniStack and the Athena endpoint."""

from local.ground.config import DEFAULT_STATE_DIR, PROJECT, GroundConfig
from local.ground.ground import Ground

__all__ = ["DEFAULT_STATE_DIR", "PROJECT", "Ground", "GroundConfig"]
