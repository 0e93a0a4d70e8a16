"""Deploying the platform, to a ground or to an account, by the same steps.

1. Synthesise the environment's templates; meanwhile bootstrap: the toolkit stack that the CDK needs once per account
   and region, only if it is missing.
2. `cdk deploy --all` of what was synthesised, by the pinned command line.
3. Migrate: create and evolve the lake's tables from the schemas the library declares.

What differs is told by a :class:`Target`: the process environment, the account, the region.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import botocore.exceptions
import botocore.session

from infra.environments import get
from local.commands import OnEvent, run_step
from local.errors import NotSignedInError, ToolMissingError, WrongAccountError
from local.ground.config import ACCOUNT, PROJECT, REGION
from local.ground.deployment import Deployment, find_api
from local.ground.ground import Ground

CDK: Final = PROJECT / "node_modules" / ".bin" / "cdk"
LAPTOP: Final = "laptop"

_REPAIRS: Final = (
    ("Registering the tables", "register-tables"),
    ("Rebuilding the online store", "rebuild-online"),
    ("Rebuilding the ledger", "rebuild-ledger"),
    *(
        (f"Rebuilding the state of {processor}", "rebuild-state", processor)
        for processor in ("trades_processor", "quotes_processor", "features_processor")
    ),
)
_TOOLKIT_STACK: Final = "CDKToolkit"
_QUIET: Final = {
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    "CDK_DISABLE_VERSION_CHECK": "true",
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    "NODE_NO_WARNINGS": "1",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where an environment is deployed to.

    Parameters
    ----------
    environment
        Name of the environment.
    account, region
        Where its stacks go.
    variables
        Whole environment of the processes that deploy.
    session
        Clients that look at what is there.
    cdk_out
        Folder of the synthesised app.
    """

    environment: str
    account: str
    region: str
    variables: Mapping[str, str]
    session: boto3.Session
    client_options: Mapping[str, Any]
    cdk_out: Path

    def client(self, service: str) -> Any:
        """Return a client of a service where the environment lives."""
        return self.session.client(service, **self.client_options)


def deploy(ground: Ground | None, environment: str = LAPTOP, on_event: OnEvent = lambda _: None) -> Deployment:
    """Deploy an environment and bring its tables up to date; running it again changes nothing.

    Parameters
    ----------
    ground
        The running ground, for environment ``laptop``; None for an account, which the caller's own credentials name.
    environment
        Name of the environment.
    on_event
        Receives each line of progress.

    Raises
    ------
    GroundNotRunningError
        The ground is down.
    NotSignedInError, WrongAccountError
        The caller is not signed in, or to another account than the environment's.
    StepFailedError
        A step failed; it carries the end of its output.
    """
    target = _target(ground, environment)
    if not CDK.exists():
        raise ToolMissingError(tool="The CDK command line", path=CDK.relative_to(PROJECT))
    with ThreadPoolExecutor(1) as pool:
        synthesised = pool.submit(_synthesise, target, on_event)
        if not _is_bootstrapped(target):
            _bootstrap(target, on_event)
        synthesised.result()
    _deploy_stacks(target, on_event)
    found = _deployment(ground, target)
    migrate(found, target.variables, on_event)
    if ground is not None:
        ground.checkpoint()
    return found


def deployment(ground: Ground | None, environment: str = LAPTOP) -> Deployment:
    """Return what is deployed.

    Raises
    ------
    NotDeployedError
        The platform is not there yet.
    """
    return _deployment(ground, _target(ground, environment))


def migrate(found: Deployment, variables: Mapping[str, str], on_event: OnEvent) -> None:
    """Create and evolve the lake's tables from the declared schemas."""
    on_event("migrating the lake's tables")
    _library_command("Migrating the tables", ["migrate"], found, variables, on_event)


def repair(ground: Ground, on_event: OnEvent = lambda _: None) -> list[str]:
    """Make what is kept beside the lake agree with it again; return what the library's commands printed.

    Needed after the ground was killed: objects are on disk at once, everything else as of the last checkpoint. Tables
    are registered from their newest metadata; from them the online store is rebuilt, the ids of orders and fills are
    claimed, and the processors get their state: the claims on it are older than the snapshots they point to, which
    may be gone. Nothing may be streaming meanwhile.
    """
    target = _target(ground, LAPTOP)
    found = _deployment(ground, target)
    printed: list[str] = []
    for step, *words in _REPAIRS:
        on_event(step.lower())
        printed += _library_command(step, words, found, target.variables, on_event)
    ground.checkpoint()
    return printed


def _target(ground: Ground | None, environment: str) -> Target:
    return _account_target(environment) if ground is None else _ground_target(ground, environment)


def _ground_target(ground: Ground, environment: str) -> Target:
    ground.require_running()
    return Target(
        environment=environment,
        account=ACCOUNT,
        region=REGION,
        # Templates are validated by the infra tests and before they go to an account; here it would double the wait.
        variables={**_with_tools(ground.environment()), "CDK_VALIDATION": "false"},
        session=ground.session(),
        client_options=ground.client_options(),
        cdk_out=ground.config.state_dir / "cdk.out",
    )


def _account_target(environment: str) -> Target:
    declared = get(environment)
    try:
        session = boto3.Session(region_name=declared.region)
        account = session.client("sts").get_caller_identity()["Account"]
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as cause:
        raise NotSignedInError(environment=environment, reason=str(cause).rstrip(".")) from cause
    if declared.account is not None and declared.account != account:
        raise WrongAccountError(environment=environment, wanted=declared.account, found=account)
    variables = {**os.environ, "AWS_REGION": declared.region, "AWS_DEFAULT_REGION": declared.region}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    return Target(
        environment=environment,
        account=account,
        region=declared.region,
        variables=_with_tools(variables),
        session=session,
        client_options={},
        cdk_out=PROJECT / "cdk.out",
    )


def _with_tools(variables: Mapping[str, str]) -> dict[str, str]:
    """Let the app be run by this interpreter, whatever else is on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), variables.get("PATH", os.defpath)])
    return {**variables, **_QUIET, "PATH": path}


def _is_bootstrapped(target: Target) -> bool:
    try:
        stacks = target.client("cloudformation").describe_stacks(StackName=_TOOLKIT_STACK)["Stacks"]
    except botocore.exceptions.ClientError as missing:
        if "does not exist" in str(missing):
            return False
        raise
    return bool(stacks)


def _bootstrap(target: Target, on_event: OnEvent) -> None:
    on_event(f"bootstrapping aws://{target.account}/{target.region}")
    # Outside the project's folder: inside it the command line would run the whole app first.
    with tempfile.TemporaryDirectory() as outside:
        run_step(
            "Bootstrapping",
            [str(CDK), "bootstrap", f"aws://{target.account}/{target.region}", "--no-notices"],
            environment=target.variables,
            folder=Path(outside),
            on_event=on_event,
        )


def _synthesise(target: Target, on_event: OnEvent) -> None:
    on_event(f"synthesising the stacks of {target.environment}")
    shutil.rmtree(target.cdk_out, ignore_errors=True)
    chosen = {"VINTNER_ENVIRONMENT": target.environment, "CDK_OUTDIR": str(target.cdk_out)}
    run_step(
        "Synthesising",
        [sys.executable, "-m", "infra.app"],
        environment={**target.variables, **chosen},
        folder=PROJECT,
        on_event=on_event,
    )


def _deploy_stacks(target: Target, on_event: OnEvent) -> None:
    on_event(f"deploying the stacks of {target.environment}")
    # No change set is ever looked at, so none is made; stacks that do not need each other go at once.
    how = ["--require-approval", "never", "--method", "direct", "--concurrency", "4", "--progress", "events"]
    command = [str(CDK), "deploy", "--all", "--no-notices", *how]
    run_step(
        "Deploying",
        [*command, "--app", str(target.cdk_out)],
        environment=target.variables,
        folder=PROJECT,
        on_event=on_event,
    )


def _deployment(ground: Ground | None, target: Target) -> Deployment:
    api_id, address = find_api(target.client("apigatewayv2"), target.environment)
    return Deployment(
        environment=target.environment,
        account=target.account,
        region=target.region,
        # The ground serves every API under its own address, so that no name has to be resolved.
        api_url=address if ground is None else f"{ground.endpoint}/_aws/execute-api/{api_id}",
    )


def _library_command(
    step: str, words: list[str], found: Deployment, variables: Mapping[str, str], on_event: OnEvent
) -> list[str]:
    return run_step(
        step,
        [sys.executable, "-m", "vintner.aws", *words],
        environment={**variables, **found.settings()},
        folder=PROJECT,
        on_event=on_event,
    )
