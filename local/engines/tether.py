"""Runs a program that must not outlive its owner. Started as a script: `python tether.py <program> <argument>...`.

1. The owner keeps the other end of this script's standard input. When the owner ends, however it ends, the kernel
   closes that end, and the script ends the program.
2. On SIGTERM the program is asked to end, and killed when it takes too long.
3. Where the kernel can (Linux), the program is killed with the script, should somebody kill the script.

It imports nothing of the project, so that it starts at once.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from types import FrameType

GRACE_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the program; return its exit code."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, preexec_fn=die_with_parent if _LIBC else None)

    def end(_signal: int = 0, _frame: FrameType | None = None) -> None:
        threading.Thread(target=_end, args=(child,), daemon=True).start()

    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, end)

    def watch() -> None:
        while os.read(0, 1024):
            pass
        _end(child)

    threading.Thread(target=watch, daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


def _load_libc() -> "ctypes.CDLL | None":
    return ctypes.CDLL(None) if sys.platform == "linux" else None


_LIBC = _load_libc()  # loaded before any fork: nothing that takes a lock may happen after one


def die_with_parent() -> None:
    """Have this process killed when its parent ends, where the kernel can do that."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
