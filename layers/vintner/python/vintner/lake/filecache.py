"""A cache of what was read of data files. They never change, so what was read of one once is true of it for ever."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

import pyarrow as pa

MOST_BYTES: Final = 32 * 1024 * 1024


class FileCache:
    """Tables by the location of the file they were read of; the longest unused go first when it is full.

    Parameters
    ----------
    most_bytes
        How much it holds, in bytes of Arrow buffers. What is larger than a quarter of that is not kept.

    Examples
    --------
    >>> cache = FileCache(1000)
    >>> cache.get("s3://b/f.parquet", lambda: pa.table({"a": [1]})).num_rows
    1
    >>> cache.get("s3://b/f.parquet", lambda: 1 / 0).num_rows
    1
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._bytes = most_bytes, 0
        self._held: OrderedDict[str, pa.Table] = OrderedDict()
        self._lock = Lock()

    def get(self, location: str, read: Callable[[], pa.Table]) -> pa.Table:
        """Return what is held of a file, or read it and hold that."""
        with self._lock:
            held = self._held.get(location)
            if held is not None:
                self._held.move_to_end(location)
                return held
        found = read()
        if found.nbytes > self._most // 4:
            return found
        with self._lock:
            if location not in self._held:
                self._held[location] = found
                self._bytes += found.nbytes
            while self._bytes > self._most:
                _, gone = self._held.popitem(last=False)
                self._bytes -= gone.nbytes
        return found
