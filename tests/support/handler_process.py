"""Runs a stream's handler as Lambda would, in processes that can be killed right before any of their writes.

``python -m tests.support.handler_process FUNCTION_FOLDER`` reads one JSON object a line from standard input,
``{"event": …, "kill_before": N or null}``, handles each event in a process of its own (forked from this one, which
has everything imported and no connection open), and answers with a line ``{"killed": …, "writes": …}``.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import threading
import traceback
from typing import Any

import botocore.client
from pyiceberg.io.pyarrow import PyArrowFile

WRITES = {"UpdateTable", "CreateTable", "BatchWriteItem", "PutItem", "PutObject", "DeleteTable"}


class Context:
    """What Powertools asks of a Lambda context."""

    function_name = "handler-process"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:eu-west-1:000000000000:function:handler-process"
    aws_request_id = "request"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def count_writes(kill_before: int | None) -> Any:
    """Count every file and every writing call; kill this process when its turn has come."""
    counter, lock = itertools.count(1), threading.Lock()

    def write() -> None:
        with lock:
            if next(counter) == kill_before:
                os.kill(os.getpid(), signal.SIGKILL)

    create, call = PyArrowFile.create, botocore.client.BaseClient._make_api_call

    def counted_create(self: PyArrowFile, overwrite: bool = False) -> Any:
        write()
        return create(self, overwrite)

    def counted_call(self: Any, operation: str, arguments: Any) -> Any:
        if operation in WRITES:
            write()
        return call(self, operation, arguments)

    PyArrowFile.create = counted_create  # type: ignore[method-assign]
    botocore.client.BaseClient._make_api_call = counted_call
    return lambda: next(counter) - 1


def handle(handler: Any, event: dict[str, Any], kill_before: int | None) -> dict[str, Any]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.dup2(2, 1)  # what the handler logs is no answer
        written = count_writes(kill_before)
        code = 1
        try:
            handler(event, Context())
            os.write(writer, str(written()).encode())
            code = 0
        except BaseException:  # noqa: BLE001 - the process ends here, as Lambda's would
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    answer = os.read(reader, 100).decode()
    os.close(reader)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    failed = not killed and status != 0
    return {"killed": killed, "failed": failed, "writes": int(answer) if answer else None}


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    from handler import handler  # type: ignore[import-not-found]

    for line in sys.stdin:
        asked = json.loads(line)
        sys.stdout.write(json.dumps(handle(handler, asked["event"], asked["kill_before"])) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
