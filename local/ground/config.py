"""Where a ground keeps its state and which ports it uses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from local.errors import InvalidGroundConfigError

PROJECT: Final = Path(__file__).resolve().parents[2]
"""The project's folder."""

REGION: Final = "eu-west-1"
ACCOUNT: Final = "000000000000"
DEFAULT_STATE_DIR: Final = PROJECT / ".ground"
DEFAULT_PORT: Final = 4566
DEFAULT_ATHENA_PORT: Final = 4567
DUCKDB: Final = "duckdb"
TRINO: Final = "trino"
SQL_ENGINES: Final = (DUCKDB, TRINO)
"""What can answer behind the Athena endpoint."""

_PORTS_FILE: Final = "ground.json"


@dataclass(frozen=True, slots=True)
class GroundConfig:
    """One ground: a folder that holds all its state, two ports of 127.0.0.1, and what answers SQL.

    Parameters
    ----------
    state_dir
        Folder of everything the ground writes; it may be moved or deleted while the ground is down.
    port
        Port of the AWS services (HTTPS).
    athena_port
        Port of the Athena endpoint.
    sql
        What answers behind it: one of :data:`SQL_ENGINES`.

    Raises
    ------
    InvalidGroundConfigError
        A port is out of range, or both are the same, or there is no such engine.

    Examples
    --------
    >>> GroundConfig(Path("/tmp/vintner"), 4566, 4567).endpoint
    'https://localhost:4566'
    """

    state_dir: Path = DEFAULT_STATE_DIR
    port: int = DEFAULT_PORT
    athena_port: int = DEFAULT_ATHENA_PORT
    sql: str = field(default=DUCKDB, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "state_dir", self.state_dir.expanduser().absolute())
        for setting in ("port", "athena_port"):
            value = getattr(self, setting)
            if not 0 < value < 65536:
                raise InvalidGroundConfigError(setting=setting, value=value, reason="ports go from 1 to 65535")
        if self.port == self.athena_port:
            raise InvalidGroundConfigError(
                setting="athena_port", value=self.athena_port, reason="the AWS services already use it"
            )
        if self.sql not in SQL_ENGINES:
            raise InvalidGroundConfigError(setting="sql", value=self.sql, reason=f"choose {' or '.join(SQL_ENGINES)}")

    @property
    def endpoint(self) -> str:
        """Address of the AWS services."""
        return f"https://localhost:{self.port}"

    @property
    def athena_endpoint(self) -> str:
        """Address of the Athena endpoint."""
        return f"http://localhost:{self.athena_port}"

    @property
    def work_dir(self) -> Path:
        """Temporary files of the ground's processes; handlers' workers carry this path in their command line."""
        return self.state_dir / "tmp"

    def save(self) -> None:
        """Remember the ports and the engine, so that a later command finds the running ground."""
        settings = {"port": self.port, "athena_port": self.athena_port, "sql": self.sql}
        file = self.state_dir / _PORTS_FILE
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.write_text(json.dumps(settings) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, state_dir: Path = DEFAULT_STATE_DIR) -> GroundConfig:
        """Return the ground that last ran with this state, or one on the default ports."""
        try:
            last = json.loads((state_dir / _PORTS_FILE).read_text(encoding="utf-8"))
            return cls(state_dir, int(last["port"]), int(last["athena_port"]), sql=str(last.get("sql", DUCKDB)))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return cls(state_dir)
