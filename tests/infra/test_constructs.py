"""Constructs no stack uses yet, the judgement of the rules, and leaving out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Aspects, CfnResource, Stack, aws_s3

from infra.app import make_app
from infra.constructs import Workflow, WorkQueue
from infra.environments import get
from infra.left_out import LeaveOut
from infra.stacks import CapabilityStack, FoundationStack

ASL = {
    "QueryLanguage": "JSONata",
    "StartAt": "Wait",
    "States": {"Wait": {"Type": "Wait", "Seconds": 1, "Next": "Done"}, "Done": {"Type": "Succeed"}},
}


@pytest.fixture
def app(tmp_path: Path) -> App:
    return make_app(outdir=str(tmp_path / "out"), check_schemas=False)


@pytest.fixture
def stack(app: App) -> CapabilityStack:
    return CapabilityStack(app, environment=get("dev"), capability="trial", description="Constructs on trial.")


def _resources(stack: Stack, app: App, kind: str) -> list[dict[str, Any]]:
    template = json.loads((Path(app.outdir) / f"{stack.stack_name}.template.json").read_text(encoding="utf-8"))
    return [body["Properties"] for body in template["Resources"].values() if body["Type"] == kind]


def test_a_workflow_is_logged_traced_timed_and_watched(app: App, stack: CapabilityStack, tmp_path: Path):
    definition = tmp_path / "trial.asl.json"
    definition.write_text(json.dumps(ASL), encoding="utf-8")
    shared = FoundationStack(app, environment=get("dev")).shared_with(stack)
    Workflow(
        stack,
        "Trial",
        shared=shared,
        name="trial",
        definition=definition,
        substitutions={"Table": "vintner-dev-online"},
        timeout_seconds=60,
    )
    app.synth()
    [machine] = _resources(stack, app, "AWS::StepFunctions::StateMachine")
    assert machine["StateMachineName"] == "vintner-dev-trial"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    assert machine["DefinitionSubstitutions"] == {"Table": "vintner-dev-online"}
    assert json.loads(machine["DefinitionString"])["States"] == ASL["States"]
    [logs] = _resources(stack, app, "AWS::Logs::LogGroup")
    assert logs["LogGroupName"] == "/aws/vendedlogs/vintner/dev/states/trial"
    [alarm] = _resources(stack, app, "AWS::CloudWatch::Alarm")
    assert alarm["AlarmName"] == "vintner-dev-trial-failed"


def test_a_queue_has_dead_letters_and_an_alarm_on_them(app: App, stack: CapabilityStack):
    shared = FoundationStack(app, environment=get("dev")).shared_with(stack)
    WorkQueue(stack, "Orders", shared=shared, name="orders", visibility_seconds=180)
    app.synth()
    queues = {queue["QueueName"]: queue for queue in _resources(stack, app, "AWS::SQS::Queue")}
    assert set(queues) == {"vintner-dev-orders", "vintner-dev-orders-dead-letters"}
    assert queues["vintner-dev-orders"]["RedrivePolicy"]["maxReceiveCount"] == 5
    assert all("KmsMasterKeyId" in queue for queue in queues.values())
    assert len(_resources(stack, app, "AWS::SQS::QueuePolicy")) == 2
    [alarm] = _resources(stack, app, "AWS::CloudWatch::Alarm")
    assert alarm["AlarmName"] == "vintner-dev-orders-dead-letters"


def test_an_unexplained_finding_stops_the_synthesis(app: App, stack: CapabilityStack):
    aws_s3.Bucket(stack, "Open")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    report = json.loads((Path(app.outdir) / "validation-report.json").read_text(encoding="utf-8"))
    assert "AwsSolutions-S1" in json.dumps(report)


def test_a_type_that_is_left_out_is_gone_and_the_rest_stays(tmp_path: Path):
    app = App(outdir=str(tmp_path), builtin_cloud_formation_validation=False)
    stack = Stack(app, "trial")
    CfnResource(stack, "Kept", type="AWS::SNS::Topic")
    CfnResource(stack, "Gone", type="AWS::Athena::NamedQuery")
    Aspects.of(app).add(LeaveOut(["AWS::Athena::NamedQuery"]))
    app.synth()
    template = json.loads((tmp_path / "trial.template.json").read_text(encoding="utf-8"))
    assert [key for key in template["Resources"] if key != "CDKMetadata"] == ["Kept"]
