"""Real Trino, the engine Athena is built on, over the laptop ground's own catalog and buckets."""

from local.trino.client import TrinoClient, TrinoResult
from local.trino.engine import TrinoEngine
from local.trino.errors import TrinoError, TrinoStartError
from local.trino.server import TrinoServer

__all__ = ["TrinoClient", "TrinoEngine", "TrinoError", "TrinoResult", "TrinoServer", "TrinoStartError"]
