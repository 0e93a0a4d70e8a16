"""Ports for a ground of one's own."""

from __future__ import annotations

import os
import socket
from typing import Final

# Below the range that systems hand out to clients, so that no connection takes one between the look and the bind.
_FIRST: Final = 20_000
_COUNT: Final = 12_000


def free_ports(count: int) -> tuple[int, ...]:
    """Return ports of 127.0.0.1 on which nothing listens now; processes begin to look at different places.

    Examples
    --------
    >>> len(set(free_ports(2)))
    2
    """
    free: list[int] = []
    start = os.getpid() * 97
    for step in range(_COUNT):
        port = _FIRST + (start + step) % _COUNT
        if is_free(port):
            free.append(port)
            if len(free) == count:
                break
    return tuple(free)


def is_free(port: int) -> bool:
    """Return whether a server could listen on a port of 127.0.0.1 now."""
    with socket.socket() as probe:
        if os.name == "posix":  # connections that just closed do not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
