"""Where refused messages are kept: a file of JSON lines, bounded."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Final

from vintner.messaging.ingress import Refused

MOST_BYTES: Final = 64 * 1024 * 1024


class RefusalFile:
    """Appends each refused message, whole, with the reason; when the file is full, the older half gives way.

    Parameters
    ----------
    path
        The file; a second one beside it, ``.1``, holds what came before.
    most_bytes
        Bytes of both.
    """

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._half = most_bytes // 2
        path.parent.mkdir(parents=True, exist_ok=True)

    def keep(self, refused: Refused) -> None:
        """Keep one."""
        message = refused.message
        if isinstance(message, bytes):
            message = f"base64:{base64.b64encode(message).decode()}"
        reasons = {"field": refused.field, "rule": refused.rule, "remedy": refused.remedy}
        line = json.dumps({"received_at": refused.at.isoformat(), **reasons, "payload": message}) + "\n"
        if self._path.exists() and self._path.stat().st_size + len(line) > self._half:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line)
