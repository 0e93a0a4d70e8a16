"""What must hold of every template of every environment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra import paths
from infra.constructs.permissions import wildcards
from infra.nag import names_in_findings
from tests.infra.synthesis import Resource, Synthesis, as_list, text
from vintner.aws.maintenance import MaintenanceSettings

NAMED_BY = {
    "AWS::ApiGatewayV2::Api": "Name",
    "AWS::Athena::WorkGroup": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::DynamoDB::GlobalTable": "TableName",
    "AWS::IAM::Role": "RoleName",
    "AWS::KMS::Alias": "AliasName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Logs::ResourcePolicy": "PolicyName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::Scheduler::ScheduleGroup": "Name",
    "AWS::SNS::Topic": "TopicName",
}
"""Types whose name others rely on, and the property that says it."""

UNTAGGABLE = {
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::Athena::NamedQuery",
    "AWS::Athena::PreparedStatement",
    "AWS::Glue::Database",
    "AWS::IAM::Policy",
    "AWS::KMS::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Permission",
    "AWS::Logs::ResourcePolicy",
    "AWS::S3::BucketPolicy",
    "AWS::Scheduler::Schedule",
    "AWS::SNS::TopicPolicy",
}
"""Types CloudFormation cannot tag."""


def test_there_is_a_stack_for_every_capability(synthesis: Synthesis):
    assert set(synthesis.templates) == {"foundation", "lake", "streaming", "features", "api", "maintenance"}


def test_nothing_is_a_custom_resource(synthesis: Synthesis):
    types = {resource.type for resource in synthesis.resources()}
    assert not {kind for kind in types if kind.startswith(("Custom::", "AWS::CloudFormation::CustomResource"))}
    assert "AWS::CDK::Metadata" not in types


def test_names_are_deterministic(synthesis: Synthesis):
    own = re.compile(
        rf"^(alias/|/aws/lambda/)?vintner-{synthesis.environment.name}(-[a-z-]+|$)|^/aws/vendedlogs/vintner/"
    )
    for resource in synthesis.resources(*NAMED_BY):
        name = text(resource.properties[NAMED_BY[resource.type]])
        assert own.match(name), f"{resource} is named {name!r}"
        assert "Token" not in name


def test_names_are_the_contract(syntheses: Mapping[str, Synthesis]):
    names = {text(r.properties[NAMED_BY[r.type]]) for r in syntheses["laptop"].resources(*NAMED_BY)}
    assert names >= {
        "vintner-laptop-market-data",
        "vintner-laptop-macro-data",
        "vintner-laptop-market-data-processor",
        "vintner-laptop-macro-data-processor",
        "vintner-laptop-features-api",
        "vintner-laptop-lake-maintenance",
        "vintner-laptop-features",
        "vintner-laptop-online",
        "vintner-laptop-lake-000000000000-eu-west-1",
        "vintner-laptop-athena-000000000000-eu-west-1",
        "vintner-laptop-dead-letters-000000000000-eu-west-1",
        "vintner-laptop",
    }
    [database] = syntheses["laptop"].resources("AWS::Glue::Database")
    assert database.properties["DatabaseInput"]["Name"] == "vintner_laptop"


def test_everything_taggable_is_tagged(synthesis: Synthesis):
    environment = synthesis.environment
    expected = {
        "application": "vintner",
        "environment": environment.name,
        "owner": environment.owner,
        "cost-centre": environment.cost_centre,
    }
    for resource in synthesis.resources():
        if resource.type in UNTAGGABLE:
            continue
        assert _tags(resource).items() >= expected.items(), f"{resource} lacks tags"


def test_every_bucket_is_private_encrypted_logged_and_tls_only(synthesis: Synthesis):
    policies = {text(policy.properties["Bucket"]): policy for policy in synthesis.resources("AWS::S3::BucketPolicy")}
    for bucket in synthesis.resources("AWS::S3::Bucket"):
        properties = bucket.properties
        assert all(properties["PublicAccessBlockConfiguration"].values()), f"{bucket} may be public"
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
        rule = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]["ServerSideEncryptionByDefault"]
        is_log_bucket = "-access-logs-" in text(properties["BucketName"])
        # S3 delivers access logs only to a bucket that it encrypts with its own key.
        assert rule["SSEAlgorithm"] == ("AES256" if is_log_bucket else "aws:kms"), f"{bucket} is not encrypted by us"
        assert is_log_bucket or "LoggingConfiguration" in properties, f"{bucket} is not logged"
        statements = policies[f"<{bucket.logical_id}>"].properties["PolicyDocument"]["Statement"]
        refusals = [s["Condition"] for s in statements if s["Effect"] == "Deny"]
        assert {"Bool": {"aws:SecureTransport": "false"}} in refusals, f"{bucket} takes plain HTTP"


def test_every_function_is_logged_traced_and_sized(synthesis: Synthesis):
    groups = {group.logical_id: group.properties for group in synthesis.resources("AWS::Logs::LogGroup")}
    functions = list(synthesis.resources("AWS::Lambda::Function"))
    assert len(functions) == 4
    for function in functions:
        properties = function.properties
        group = groups[properties["LoggingConfig"]["LogGroup"]["Ref"]]
        assert group["RetentionInDays"] == synthesis.environment.keep.logs
        assert "KmsKeyId" in group
        assert properties["TracingConfig"] == {"Mode": "Active"}
        assert properties["MemorySize"] >= 256
        assert 1 <= properties["Timeout"] <= 900
        assert properties["Runtime"] == "python3.13"
        assert properties["Architectures"] == [synthesis.environment.architecture.value]


def test_every_function_leaves_dead_letters(synthesis: Synthesis):
    configured = {
        text(config.properties["FunctionName"]): text(
            config.properties["DestinationConfig"]["OnFailure"]["Destination"]
        )
        for config in synthesis.resources("AWS::Lambda::EventInvokeConfig")
    }
    bucket = f"arn:aws:s3:::{names_in_findings(synthesis.environment).dead_letters_bucket}"
    assert configured == {f"<{f.logical_id}>": bucket for f in synthesis.resources("AWS::Lambda::Function")}


def test_every_function_is_told_where_things_are(synthesis: Synthesis):
    names = names_in_findings(synthesis.environment)
    for function in synthesis.resources("AWS::Lambda::Function"):
        variables = {key: text(value) for key, value in function.properties["Environment"]["Variables"].items()}
        service = text(function.properties["FunctionName"]).removeprefix(f"vintner-{synthesis.environment.name}-")
        own = synthesis.environment.maintenance.variables() if service == "lake-maintenance" else {}
        assert variables == own | {
            "VINTNER_ENVIRONMENT": synthesis.environment.name,
            "VINTNER_GLUE_DATABASE": names.glue_database,
            "VINTNER_WAREHOUSE": names.warehouse,
            "VINTNER_ONLINE_TABLE": names.online_table,
            "POWERTOOLS_SERVICE_NAME": service,
            "POWERTOOLS_METRICS_NAMESPACE": "Vintner",
            "POWERTOOLS_LOG_LEVEL": synthesis.environment.log_level.value,
        }


def test_a_mapping_never_blocks_its_shard(synthesis: Synthesis):
    mappings = [mapping.properties for mapping in synthesis.resources("AWS::Lambda::EventSourceMapping")]
    assert len(mappings) == 2
    for mapping in mappings:
        assert mapping["StartingPosition"] == "TRIM_HORIZON"
        assert mapping["ParallelizationFactor"] == 1
        assert mapping["BisectBatchOnFunctionError"] is True
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert 0 <= mapping["MaximumRetryAttempts"] < 10_000
        assert 60 <= mapping["MaximumRecordAgeInSeconds"] <= 604_800
        assert "-dead-letters-" in text(mapping["DestinationConfig"]["OnFailure"]["Destination"])


def test_every_route_is_signed(synthesis: Synthesis):
    routes = [route.properties for route in synthesis.resources("AWS::ApiGatewayV2::Route")]
    assert {route["RouteKey"] for route in routes} == {
        "GET /v1/health",
        "GET /v1/features/{view}/online",
        "POST /v1/features/{view}/as-of",
        "GET /v1/datasets/{dataset}/vintage",
        "GET /v1/datasets/{dataset}/history",
    }
    assert {route["AuthorizationType"] for route in routes} == {"AWS_IAM"}


def test_a_role_holds_no_wildcard_that_is_not_explained(synthesis: Synthesis):
    explained = wildcards(names_in_findings(synthesis.environment))
    for owner, statement in _grants(synthesis):
        assert not [action for action in as_list(statement["Action"]) if "*" in action], f"{owner}: {statement}"
        for resource in map(text, as_list(statement["Resource"])):
            assert "*" not in resource or resource in explained, f"{owner} may do {statement['Action']} on {resource}"


def test_a_role_is_trusted_by_one_service(synthesis: Synthesis):
    for role in synthesis.resources("AWS::IAM::Role"):
        [trust] = role.properties["AssumeRolePolicyDocument"]["Statement"]
        assert (trust["Effect"], trust["Action"], list(trust["Principal"])) == ("Allow", "sts:AssumeRole", ["Service"])
        assert len(as_list(trust["Principal"]["Service"])) == 1


def test_the_star_is_for_traces_alone(synthesis: Synthesis):
    actions = {
        action
        for _, statement in _grants(synthesis)
        if "*" in map(text, as_list(statement["Resource"]))
        for action in as_list(statement["Action"])
    }
    assert actions == {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}


@pytest.mark.parametrize(
    ("function", "writes"),
    [
        ("features-api", set()),
        (
            "market-data-processor",
            {
                "glue:UpdateTable",
                "s3:PutObject",
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "dynamodb:BatchWriteItem",
            },
        ),
        (
            "lake-maintenance",
            {"glue:UpdateTable", "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"},
        ),
        ("lake-maintenance-schedule", {"lambda:InvokeFunction"}),
    ],
)
def test_a_function_writes_only_what_it_is_for(syntheses: Mapping[str, Synthesis], function: str, writes: set[str]):
    reads = re.compile(r":(Get|List|Describe|Query)|^(kms|xray|logs):")
    granted = {
        action
        for owner, statement in _grants(syntheses["prod"])
        if owner == f"vintner-prod-{function}-eu-west-1" and "DeadLetters" not in statement.get("Sid", "")
        for action in as_list(statement["Action"])
        if not reads.search(action)
    }
    assert granted == writes


def test_maintenance_alone_may_remove_data_and_nobody_versions_of_it(synthesis: Synthesis):
    removes = {
        (owner, action, text(resource))
        for owner, statement in _grants(synthesis)
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
        if action.startswith("s3:Delete")
    }
    names = names_in_findings(synthesis.environment)
    assert {action for _, action, _ in removes} == {"s3:DeleteObject"}
    assert {owner for owner, _, resource in removes if not resource.endswith("/metadata/*.avro")} == {
        names.role("lake-maintenance")
    }
    assert (names.role("lake-maintenance"), f"arn:aws:s3:::{names.lake_bucket}/lake/*") in {
        (owner, resource) for owner, _, resource in removes
    }


def test_maintenance_is_called_by_a_schedule_that_may_do_nothing_else(synthesis: Synthesis):
    [schedule] = synthesis.resources("AWS::Scheduler::Schedule")
    size, target = synthesis.environment.maintenance, schedule.properties["Target"]
    assert schedule.properties["ScheduleExpression"] == size.schedule
    assert schedule.properties["FlexibleTimeWindow"] == {
        "Mode": "FLEXIBLE",
        "MaximumWindowInMinutes": size.window_minutes,
    }
    assert schedule.properties.get("State", "ENABLED") == "ENABLED"
    assert json.loads(target["Input"]) == {}
    assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
    template = synthesis.templates["maintenance"]["Resources"]
    function = template[target["Arn"]["Fn::GetAtt"][0]]["Properties"]
    assert text(function["FunctionName"]) == f"vintner-{synthesis.environment.name}-lake-maintenance"
    role = template[target["RoleArn"]["Fn::GetAtt"][0]]["Properties"]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert set(trust["Condition"]["StringEquals"]) == {"aws:SourceAccount", "aws:SourceArn"}
    granted = [statement for owner, statement in _grants(synthesis) if owner == text(role["RoleName"])]
    assert [(one["Action"], one["Resource"]) for one in granted] == [("lambda:InvokeFunction", target["Arn"])]


def test_maintenance_that_fails_or_does_not_finish_or_is_not_called_raises_an_alarm(synthesis: Synthesis):
    alarms = {
        text(alarm.properties["AlarmName"]): alarm.properties for alarm in synthesis.resources("AWS::CloudWatch::Alarm")
    }
    prefix = f"vintner-{synthesis.environment.name}-lake-maintenance"
    for name, metric, dimensions in (
        ("errors", "Errors", {"FunctionName"}),
        ("unfinished", "TablesLeft", {"environment", "service"}),
        ("schedule-dropped", "InvocationDroppedCount", {"ScheduleGroup"}),
    ):
        alarm = alarms[f"{prefix}-{name}"]
        assert (alarm["MetricName"], alarm["Threshold"]) == (metric, 0)
        assert {dimension["Name"] for dimension in alarm["Dimensions"]} == dimensions
        assert alarm["AlarmActions"]


def test_what_maintenance_is_told_is_what_it_accepts(synthesis: Synthesis):
    size, settings = synthesis.environment.maintenance, MaintenanceSettings.from_environment
    told = settings(size.variables())
    assert (told.upkeep.keep_for.days, told.upkeep.keep_last, told.upkeep.few) == (
        size.keep_for_days,
        size.keep_last,
        size.few,
    )
    assert told.upkeep.safe_age == timedelta(hours=size.safe_age_hours)
    assert told.reserve_seconds < size.function.timeout_seconds


def test_production_is_protected(syntheses: Mapping[str, Synthesis]):
    prod = syntheses["prod"]
    kinds = (
        "AWS::S3::Bucket",
        "AWS::Kinesis::Stream",
        "AWS::DynamoDB::GlobalTable",
        "AWS::KMS::Key",
        "AWS::Glue::Database",
    )
    for resource in prod.resources(*kinds):
        assert resource.body["DeletionPolicy"] == "Retain", f"{resource} is deleted with its stack"
        assert resource.body["UpdateReplacePolicy"] == "Retain"
    [table] = prod.resources("AWS::DynamoDB::GlobalTable")
    [replica] = table.properties["Replicas"]
    assert replica["DeletionProtectionEnabled"] is True
    assert replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    stacks = [artifact for artifact in prod.manifest.values() if artifact["type"] == "aws:cloudformation:stack"]
    assert [stack["properties"].get("terminationProtection") for stack in stacks] == [True] * 6


def test_references_between_stacks_are_weak(synthesis: Synthesis):
    whole = json.dumps(synthesis.templates)
    assert "Fn::ImportValue" not in whole
    assert '"Export"' not in whole


def test_what_refers_to_a_resource_finds_it(synthesis: Synthesis):
    for stack, template in synthesis.templates.items():
        known = set(template["Resources"]) | set(template.get("Parameters", {}))
        missing = {name for name in _references(template) if name not in known and not name.startswith("AWS::")}
        assert not missing, f"{stack} refers to {missing}"


def test_the_laptop_leaves_out_what_it_lists_and_nothing_else(syntheses: Mapping[str, Synthesis]):
    kinds = {name: {resource.type for resource in s.resources()} for name, s in syntheses.items()}
    listed = set(syntheses["laptop"].environment.left_out)
    assert kinds["laptop"] == kinds["dev"] - listed
    assert kinds["dev"] == kinds["staging"] == kinds["prod"]
    assert listed <= kinds["dev"]


@pytest.mark.parametrize(
    ("type_", "folder"),
    [
        ("AWS::Athena::NamedQuery", paths.NAMED_QUERIES),
        ("AWS::Athena::PreparedStatement", paths.PREPARED_STATEMENTS),
    ],
)
def test_there_is_a_query_for_every_file(syntheses: Mapping[str, Synthesis], type_: str, folder: Path):
    files = len(list(folder.glob("*.sql")))
    assert len(list(syntheses["dev"].resources(type_))) == files
    assert not list(syntheses["laptop"].resources(type_))


def test_outputs_have_stable_names(synthesis: Synthesis):
    outputs = {name for template in synthesis.templates.values() for name in template.get("Outputs", {})}
    assert outputs >= {
        "AccessLogsBucket",
        "AlarmsTopicArn",
        "ApiId",
        "ApiUrl",
        "AthenaBucket",
        "AthenaWorkgroup",
        "DeadLettersBucket",
        "FeaturesFunction",
        "GlueDatabase",
        "KeyArn",
        "LakeBucket",
        "MacroDataProcessor",
        "MacroDataStream",
        "MaintenanceFunction",
        "MarketDataProcessor",
        "MarketDataStream",
        "OnlineTable",
        "Warehouse",
    }


def _tags(resource: Resource) -> dict[str, str]:
    properties = resource.properties
    tags = properties["Replicas"][0]["Tags"] if "Replicas" in properties else properties.get("Tags", [])
    return tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}


def _grants(synthesis: Synthesis) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement that allows a role something, with the role's name."""
    for stack, template in synthesis.templates.items():
        roles = {
            logical_id: text(body["Properties"]["RoleName"])
            for logical_id, body in template["Resources"].items()
            if body["Type"] == "AWS::IAM::Role"
        }
        assert not [
            role for role in roles if {"Policies", "ManagedPolicyArns"} & set(template["Resources"][role]["Properties"])
        ], f"{stack}: a role has policies this test does not read"
        for policy in template["Resources"].values():
            if policy["Type"] == "AWS::IAM::Policy":
                [role] = policy["Properties"]["Roles"]
                for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                    yield roles[role["Ref"]], statement


def _references(value: Any) -> Iterator[str]:
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [name, _]}:
            yield str(name)
        case dict():
            for part in value.values():
                yield from _references(part)
        case list():
            for part in value:
                yield from _references(part)
