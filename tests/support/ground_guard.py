"""Takes a ground down when whoever started it is gone: `python -m tests.support.ground_guard <folder> <port> <port>`.

A ground outlives the process that started it, on purpose. One that tests started must not, even when the tests are
killed: this process waits for its standard input to end, whose other end the tests hold.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from local.ground import Ground, GroundConfig
from local.ground.config import PROJECT


def guard(ground: Ground) -> subprocess.Popen[bytes]:
    """Return a guard of a ground; closing its standard input takes the ground down."""
    config = ground.config
    words = [str(config.state_dir), str(config.port), str(config.athena_port)]
    command = [sys.executable, "-m", "tests.support.ground_guard", *words]
    # A session of its own: what interrupts the tests must not end the guard first.
    return subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, start_new_session=True)


def main() -> None:
    """Wait for the end of the input, then leave nothing of the ground."""
    folder, port, athena_port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    sys.stdin.buffer.read()
    Ground(GroundConfig(folder, port, athena_port)).kill()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
