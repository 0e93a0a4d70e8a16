"""Make the project's own environment: `.venv` from the lock files and `node_modules` from its lock.

Runs on any Python 3 with nothing installed, and says in one sentence what a machine lacks. A stamp remembers the
lock files it was made from, so that running it again takes no time.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from typing import Callable, List, Optional, Tuple

Inputs = Tuple[List[str], List[str]]  # files, and words, that a folder is made from

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
UV = os.path.join(VENV, "bin", "uv")
LIBRARY = os.path.join(ROOT, "layers", "vintner", "python")

OLDEST_PYTHON = (3, 11)
OLDEST_NODE = 20
PYTHON_LOCKS = ("bootstrap.lock", "main.lock", "data.lock")
VARIABLES_KEPT_AWAY = (
    "PIP_REQUIRE_VIRTUALENV",  # the virtual environment is what is being made
    "PYTHONDONTWRITEBYTECODE",  # compiled modules are what makes every later start quick
    "PYTHONHOME",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)


class SetupError(Exception):
    """The environment cannot be made; the message is one sentence with the remedy."""


def main() -> int:
    """Bring both halves of the environment up to date; return the exit code."""
    try:
        require_python()
        done = update("python packages", VENV, python_inputs(), install_python)
        done = update("the kernels", os.path.join(VENV, "kernel"), kernel_inputs(), install_kernel) or done
        done = update("the CDK command line", os.path.join(ROOT, "node_modules"), node_inputs(), install_node) or done
    except SetupError as problem:
        print("error: {}".format(problem), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on", file=sys.stderr)
        return 130
    if done:
        say("ready")
    return 0


def require_python() -> None:
    """Refuse a Python that cannot run the project."""
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(
            "Python {}.{} or newer is needed and {} is {}.{}; install one and name it, for instance: "
            "make demo PYTHON=python3.12".format(*OLDEST_PYTHON, sys.executable, *sys.version_info[:2])
        )


def require_node() -> None:
    """Refuse a machine without Node and npm, or with an old Node."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise SetupError(
                "{} was not found; install Node {} or newer, which brings npm, from https://nodejs.org".format(
                    tool, OLDEST_NODE
                )
            )
    answer = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, universal_newlines=True, check=False).stdout
    version = re.match(r"v(\d+)", answer)
    if version is None or int(version.group(1)) < OLDEST_NODE:
        raise SetupError(
            "Node {} or newer is needed and this machine's is {}; install it from https://nodejs.org".format(
                OLDEST_NODE, answer.strip() or "not working"
            )
        )


def update(what: str, folder: str, inputs: Inputs, install: Callable[[], None]) -> bool:
    """Run ``install`` unless ``folder`` was made from the same inputs; return whether it ran."""
    stamp = os.path.join(folder, ".vintner-stamp")
    wanted = fingerprint(inputs)
    try:
        with open(stamp) as file:
            if file.read() == wanted:
                return False
        os.remove(stamp)  # a half-made folder must not look finished
    except FileNotFoundError:
        pass
    started = time.time()
    say("installing {} (once)".format(what))
    install()
    with open(stamp, "w") as file:
        file.write(wanted)
    say("{} installed in {:.0f} s".format(what, time.time() - started))
    return True


def python_inputs() -> Inputs:
    """Return what the Python environment is made from: locks, interpreter, and place."""
    locks = [os.path.join(ROOT, "requirements", name) for name in PYTHON_LOCKS]
    return [*locks, os.path.abspath(__file__)], [ROOT, "{}.{}".format(*sys.version_info[:2])]


def kernel_inputs() -> Inputs:
    """Return what the compiled kernels are made from: their sources, how they are built, and for which machine."""
    folders = os.walk(os.path.join(LIBRARY, "vintner"))
    files = [os.path.join(folder, name) for folder, _, names in folders for name in names]
    sources = sorted(name for name in files if name.endswith((".c", ".h")))
    machine = os.uname()
    return [*sources, os.path.join(ROOT, "infra", "kernel.py")], [ROOT, machine.sysname, machine.machine]


def node_inputs() -> Inputs:
    """Return what ``node_modules`` is made from."""
    return [os.path.join(ROOT, name) for name in ("package.json", "package-lock.json")], [ROOT]


def fingerprint(inputs: Inputs) -> str:
    """Return a digest of files and words."""
    files, words = inputs
    digest = hashlib.sha256("\0".join(words).encode())
    for name in files:
        with open(name, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def install_python() -> None:
    """Make `.venv` hold exactly the locked packages, and the library where it lies."""
    if moved() or not works(PYTHON) or not works(UV):
        say("making .venv with Python {}.{}".format(*sys.version_info[:2]))
        run([sys.executable, "-m", "venv", "--clear", VENV], remedy="install your system's python3-venv package")
        run(
            [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            + ["--require-hashes", "--requirement", lock("bootstrap.lock")],
            remedy="check that this machine reaches its package index",
        )
    say("fetching and compiling the locked packages")
    # One synchronisation over all locks: exactly these versions, each checked against its hash, nothing else left.
    run(
        [UV, "pip", "sync", "--quiet", "--python", PYTHON, "--require-hashes", "--compile-bytecode"]
        + [lock(name) for name in PYTHON_LOCKS],
        remedy="check that this machine reaches its package index",
    )
    # A path file instead of an editable installation: building one would need the network.
    packages = subprocess.check_output(
        [PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], universal_newlines=True
    ).strip()
    with open(os.path.join(packages, "vintner.pth"), "w") as file:
        file.write(LIBRARY + "\n")


def install_kernel() -> None:
    """Compile the library's kernels for this machine."""
    run([PYTHON, "-m", "infra.kernel"], remedy="report it, with what the compiler said")
    os.makedirs(os.path.join(VENV, "kernel"), exist_ok=True)


def install_node() -> None:
    """Make `node_modules` hold exactly what its lock says."""
    require_node()
    run(
        ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"],
        remedy="check that this machine reaches its package registry",
    )


def moved() -> bool:
    """Return whether `.venv` was made in another folder: its programs name that folder in their first lines."""
    try:
        with open(os.path.join(VENV, "pyvenv.cfg")) as file:
            settings = dict(line.strip().split(" = ", 1) for line in file if " = " in line)
    except FileNotFoundError:
        return True
    return not settings.get("command", VENV).endswith(VENV)


def works(program: str) -> bool:
    """Return whether a program of `.venv` is there and belongs to this Python."""
    if not os.path.exists(program):
        return False
    if program != PYTHON:
        return run_quietly([program, "--version"]) is not None
    answer = run_quietly([program, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    return answer == "{}.{}".format(*sys.version_info[:2])


def run_quietly(command: List[str]) -> Optional[str]:
    """Return a command's output, or None when it failed."""
    try:
        return subprocess.check_output(command, universal_newlines=True, stderr=subprocess.DEVNULL).strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def run(command: List[str], remedy: str) -> None:
    """Run a command in the project's folder; its failure names the remedy."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES_KEPT_AWAY}
    code = subprocess.call(command, cwd=ROOT, env=environment)
    if code != 0:
        raise SetupError("`{}` failed (exit code {}); {}, then run this again".format(" ".join(command), code, remedy))


def lock(name: str) -> str:
    """Return the path of a lock file."""
    return os.path.join(ROOT, "requirements", name)


def say(text: str) -> None:
    """Show a step."""
    print("- {}".format(text), flush=True)


if __name__ == "__main__":
    sys.exit(main())
