"""`make conformance`: the tests that real Trino and Spark run, with whichever of them this machine can have.

1. Fetch both engines. One that cannot be had is left out, in a sentence that also closes the output.
2. Become the test run: whoever ends this process ends it, and what it started with it.

The exit code is 0 when everything that ran passed; what did not run is never silent.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Final

from local.console import Console
from local.engines import EngineMissingError, Installer
from local.engines.errors import ChecksumError
from local.engines.tether import die_with_parent
from local.ground.config import PROJECT

LEFT_OUT: Final = "VINTNER_LEFT_OUT"
"""Variable with what is left out and why, as JSON: engine to sentence."""

TESTS: Final = ("-q", "-p", "no:xdist", "tests/conformance")


def left_out() -> dict[str, str]:
    """Return the engines that this run goes without, each with the sentence that says why."""
    found: dict[str, str] = json.loads(os.environ.get(LEFT_OUT, "{}"))
    return found


def farewell(sentences: dict[str, str]) -> list[str]:
    """Return what is said at the very end about what was left out."""
    return [f"LEFT OUT: {sentence}. Nothing was compared with it." for sentence in sentences.values()]


def main() -> int:
    """Fetch the engines and run the tests; return the exit code when there is nothing to run."""
    console = Console()
    installer = Installer(progress=console)
    missing = {}
    for name, obtain in (("trino", installer.trino), ("spark", installer.spark)):
        try:
            obtain()
        except EngineMissingError as error:
            console.error(str(error))
            if isinstance(error.__cause__, ChecksumError):
                return 1
            missing[name] = str(error)
    if len(missing) == 2:
        for line in farewell(missing):
            print(line)  # noqa: T201 - this is the command's output
        return 0
    die_with_parent()
    os.chdir(PROJECT)
    environment = {**os.environ, LEFT_OUT: json.dumps(missing)}
    return os.execve(sys.executable, [sys.executable, "-m", "pytest", *TESTS], environment)  # noqa: S606 - our own words


if __name__ == "__main__":
    sys.exit(main())
