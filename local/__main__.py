"""`python -m local`: the laptop ground and deployments, from a shell."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from local.console import Console
from local.engines import Installer
from local.errors import GroundNotRunningError, NotDeployedError
from local.ground import DEFAULT_STATE_DIR, SQL_ENGINES, TRINO, Ground, GroundConfig, deploy, deployment, repair
from local.ground.config import DUCKDB
from local.ground.deploy import LAPTOP
from vintner.errors import VintnerError

Command = Callable[[argparse.Namespace, Console], int]


def up(arguments: argparse.Namespace, console: Console) -> int:
    """Start the ground, deploy the platform to it, and show where it is."""
    last = GroundConfig.load(arguments.state_dir)
    ports = arguments.port or last.port, arguments.athena_port or last.athena_port
    sql = arguments.sql or (last.sql if _ground(arguments).athena.is_alive else DUCKDB)
    ground = Ground(GroundConfig(arguments.state_dir, *ports, sql=sql))
    if sql == TRINO:
        Installer(progress=console).trino()
    with console.step("starting the ground"):
        ground.start()
    if not arguments.no_deploy:
        with console.step("deploying the platform") as on_event:
            deploy(ground, LAPTOP, on_event)
    code = status(arguments, console)
    console.hint('For AWS tools and the library in this shell:  eval "$(.venv/bin/python -m local env)"')
    return code


def down(arguments: argparse.Namespace, console: Console) -> int:
    """Stop the ground; its state stays."""
    ground = _ground(arguments)
    was_running = ground.is_running
    with console.step("stopping the ground, writing its state"):
        ground.stop()
    console.result({"running": False, "was_running": was_running, "state_dir": str(ground.config.state_dir)})
    return 0


def status(arguments: argparse.Namespace, console: Console) -> int:
    """Show whether the ground runs, and where everything is; exit code 1 when it does not run."""
    ground = _ground(arguments)
    facts: dict[str, object] = {"running": ground.is_running, "state_dir": str(ground.config.state_dir)}
    if ground.is_running:
        facts |= {"process": ground.ministack.pid, "endpoint": ground.endpoint}
        facts |= {"athena": ground.athena_endpoint if ground.athena.is_alive else "not running; start it: make up"}
        facts["sql"] = ground.config.sql
        try:
            facts |= {"deployed": True, **deployment(ground).as_dict()}
        except NotDeployedError:
            facts["deployed"] = False
    console.result(facts)
    return 0 if ground.is_running else 1


def deploy_to(arguments: argparse.Namespace, console: Console) -> int:
    """Deploy an environment: `laptop` to the running ground, any other to the account signed in to."""
    ground = _ground(arguments) if arguments.environment == LAPTOP else None
    with console.step(f"deploying {arguments.environment}") as on_event:
        found = deploy(ground, arguments.environment, on_event)
    console.result(found.as_dict())
    return 0


def env(arguments: argparse.Namespace, console: Console) -> int:
    """Print what a shell has to evaluate so that AWS clients and the library's commands reach the ground."""
    ground = _running_ground(arguments)
    settings, unset = ground.client_env(), ground.strays(os.environ)
    with suppress(NotDeployedError):
        settings |= deployment(ground).settings()
    if console.is_json:
        console.result({"set": settings, "unset": unset})
        return 0
    if unset:
        print(f"unset {' '.join(unset)}")
    for name, value in settings.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def register(arguments: argparse.Namespace, console: Console) -> int:
    """Bring tables, online store, ledger and processors' state back from the lake, after the ground was killed."""
    ground = _running_ground(arguments)
    with console.step("registering the tables from their metadata, rebuilding what is kept beside them") as on_event:
        lines = repair(ground, on_event)
    console.result({"output": lines})
    return 0


def logs(arguments: argparse.Namespace, console: Console) -> int:
    """Print the last lines of the ground's logs."""
    ground = _ground(arguments)
    tails = {process.name: process.tail(arguments.lines) for process in (ground.ministack, ground.athena)}
    if console.is_json:
        console.result(tails)
        return 0
    for name, tail in tails.items():
        print(f"--- {name}\n{tail}")
    return 0


COMMANDS: dict[str, Command] = {
    "up": up,
    "down": down,
    "status": status,
    "deploy": deploy_to,
    "env": env,
    "register": register,
    "logs": logs,
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    root = argparse.ArgumentParser(prog="python -m local", description="The laptop ground, and deployments.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR, help="folder of the ground's state")
    common.add_argument("--json", action="store_true", help="print the result as one JSON document")
    commands = root.add_subparsers(dest="command", required=True, metavar="command")
    parsers = {
        name: commands.add_parser(name, parents=[common], help=(run.__doc__ or "").splitlines()[0])
        for name, run in COMMANDS.items()
    }
    parsers["up"].add_argument("--port", type=int, help="port of the AWS services (default: the last one, or 4566)")
    parsers["up"].add_argument("--athena-port", type=int, help="port of Athena (default: the last one, or 4567)")
    parsers["up"].add_argument("--sql", choices=SQL_ENGINES, help="what answers SQL (default: what runs, or duckdb)")
    parsers["up"].add_argument("--no-deploy", action="store_true", help="start the ground only")
    parsers["deploy"].add_argument("environment", nargs="?", default=LAPTOP, help="laptop, dev, staging or prod")
    parsers["logs"].add_argument("--lines", type=int, default=25, help="how many lines of each")
    return root


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    arguments = parser().parse_args(words)
    console = Console(is_json=arguments.json)
    try:
        return COMMANDS[arguments.command](arguments, console)
    except VintnerError as error:
        console.error(str(error))
        return 1
    except KeyboardInterrupt:
        console.error("stopped by you")
        return 130


def _ground(arguments: argparse.Namespace) -> Ground:
    return Ground(GroundConfig.load(arguments.state_dir))


def _running_ground(arguments: argparse.Namespace) -> Ground:
    ground = _ground(arguments)
    if not ground.is_running:
        raise GroundNotRunningError(state_dir=ground.config.state_dir)
    return ground


if __name__ == "__main__":
    sys.exit(main())
