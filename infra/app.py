"""The CDK app: `cdk synth -c environment=NAME`, or VINTNER_ENVIRONMENT=NAME.

One synthesis is one environment. It needs no account and no credentials. The dependency layer needs the package index
the first time; with `-c layers=skip` it is not built, and CloudFormation refuses to deploy what comes of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from aws_cdk import App, Aspects, Validations
from cdk_nag import AwsSolutionsChecks

from infra.context import BUNDLING_STACKS, CONTEXT
from infra.environments import Environment, get
from infra.left_out import LeaveOut
from infra.stacks import (
    ApiStack,
    DeadLettersStack,
    FeaturesStack,
    FoundationStack,
    GapsStack,
    IngressStack,
    LakeStack,
    LandingStack,
    MaintenanceStack,
    ProcessingStack,
    StreamingStack,
    TradingStack,
)
from vintner.errors import VintnerError


def make_app(*, outdir: str | None = None, context: Mapping[str, Any] | None = None, check_schemas: bool = True) -> App:
    """Make an app with our pinned feature flags, judged by the AwsSolutions rules.

    Parameters
    ----------
    outdir, context
        As CDK's.
    check_schemas
        Whether CDK also holds every resource against CloudFormation's schemas, which costs seconds once a process.
    """
    app = App(
        outdir=outdir,
        context=context,
        post_cli_context=CONTEXT,
        analytics_reporting=False,
        builtin_cloud_formation_validation=check_schemas,
    )
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def add_stacks(app: App, environment: Environment) -> None:
    """Add the stacks of an environment, in the order they are deployed."""
    foundation = FoundationStack(app, environment=environment)
    lake = LakeStack(app, environment=environment, foundation=foundation)
    features = FeaturesStack(app, environment=environment, foundation=foundation)
    streaming = StreamingStack(app, environment=environment, foundation=foundation, lake=lake, features=features)
    processing = ProcessingStack(app, environment=environment, foundation=foundation, lake=lake, streaming=streaming)
    LandingStack(app, environment=environment, foundation=foundation, lake=lake, features=features, streaming=streaming)
    TradingStack(app, environment=environment, foundation=foundation, lake=lake, streaming=streaming)
    letters = DeadLettersStack(app, environment=environment, foundation=foundation, lake=lake, streaming=streaming)
    GapsStack(app, environment=environment, foundation=foundation, lake=lake, processing=processing)
    ingress = IngressStack(app, environment=environment, foundation=foundation, streaming=streaming)
    ApiStack(
        app,
        environment=environment,
        foundation=foundation,
        lake=lake,
        features=features,
        ingress=ingress,
        dead_letters=letters,
    )
    MaintenanceStack(app, environment=environment, foundation=foundation, lake=lake)
    if environment.left_out:
        Aspects.of(app).add(LeaveOut(environment.left_out))


def main() -> None:
    """Synthesise the chosen environment."""
    app = make_app()
    try:
        environment = get(app.node.try_get_context("environment") or os.environ.get("VINTNER_ENVIRONMENT"))
    except VintnerError as error:
        raise SystemExit(f"infra.app: {error}") from error
    if app.node.try_get_context("layers") == "skip":
        app.node.set_context(BUNDLING_STACKS, [])
    add_stacks(app, environment)
    app.synth()


if __name__ == "__main__":
    main()
