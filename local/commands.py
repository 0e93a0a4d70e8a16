"""Running the project's other programs: output streamed line by line, failures with the end of what they said."""

from __future__ import annotations

import shlex
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from local.errors import StepFailedError

OnEvent = Callable[[str], None]
"""Receives one line of progress."""

_TAIL_LINES: Final = 40


def run_step(
    step: str,
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    on_event: OnEvent,
) -> list[str]:
    """Run a command to its end and return the lines it printed (the last 40).

    Each line is handed to ``on_event`` as it comes. The command is ended when this function is left early,
    for instance by Ctrl-C.

    Raises
    ------
    StepFailedError
        The command ended with an error; it carries the last lines.
    """
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    with subprocess.Popen(
        list(command),
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                if text := line.rstrip():
                    tail.append(text)
                    on_event(text)
            code = process.wait()
        except BaseException:
            process.terminate()
            raise
    if code != 0:
        raise StepFailedError(step=step, code=code, command=shlex.join(command), tail="\n".join(tail) or "(nothing)")
    return list(tail)
