"""A Spark session that answers over its standard streams. Run as a module, in the environment of `settings.py`.

A request is a length (4 bytes, big endian) and a statement. An answer is a mark (``+`` or ``-``), a length, and either
the rows as an Arrow stream, or what was refused as JSON. The first answer comes unasked, when the session is ready.
The worker ends when its standard input does, even amid a statement, and with it the virtual machine it started.
"""

from __future__ import annotations

import json
import os
import queue
import struct
import sys
import threading
from typing import Any, BinaryIO, Final

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema

_LENGTH: Final = struct.Struct(">I")


def main() -> None:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints, prints into the log
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, requests), daemon=True).start()
    session = SparkSession.builder.getOrCreate()
    _answer(answers, b"+", _stream(session.sql("SELECT 1 AS ready")))
    while True:
        try:
            mark, payload = b"+", _stream(session.sql(requests.get()))
        except (PySparkException, Py4JError) as error:
            mark, payload = b"-", json.dumps({"kind": type(error).__name__, "message": str(error)}).encode()
        _answer(answers, mark, payload)


def _read(stream: BinaryIO, requests: queue.SimpleQueue[str]) -> None:
    while len(header := stream.read(_LENGTH.size)) == _LENGTH.size:
        requests.put(stream.read(_LENGTH.unpack(header)[0]).decode())
    os._exit(0)  # nobody is there any more; the virtual machine's input ends with this process


def _answer(answers: BinaryIO, mark: bytes, payload: bytes) -> None:
    answers.write(mark + _LENGTH.pack(len(payload)) + payload)
    answers.flush()


def _stream(frame: DataFrame) -> bytes:
    # Spark 3.5 has no public way to Arrow without pandas.
    batches: list[Any] = frame._collect_as_arrow()  # noqa: SLF001
    schema = batches[0].schema if batches else to_arrow_schema(frame.schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


if __name__ == "__main__":
    main()
