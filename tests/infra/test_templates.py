"""What must hold of every template of every environment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra import paths
from infra.nag import names_in_findings
from infra.routes import NoRoutesError, routes_of
from tests.infra.synthesis import Resource, Synthesis, text
from vintner.aws.items import EXPIRES

CAPABILITIES = {
    "api",
    "dead-letters",
    "features",
    "foundation",
    "gaps",
    "ingress",
    "lake",
    "landing",
    "maintenance",
    "processing",
    "streaming",
    "trading",
}

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

FUNCTIONS = {path.parent.name.replace("_", "-") for path in paths.FUNCTIONS.glob("*/handler.py")}
"""A function for every folder that holds a handler."""

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
    "AWS::Logs::MetricFilter",
    "AWS::Logs::ResourcePolicy",
    "AWS::S3::BucketPolicy",
    "AWS::Scheduler::Schedule",
    "AWS::SNS::TopicPolicy",
}
"""Types CloudFormation cannot tag."""


def test_there_is_a_stack_for_every_capability(synthesis: Synthesis):
    assert set(synthesis.templates) == CAPABILITIES


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
        "vintner-laptop-positions",
        "vintner-laptop-ledger",
        "vintner-laptop-dead-letters",
        "vintner-laptop-state-000000000000-eu-west-1",
        "vintner-laptop-drop-000000000000-eu-west-1",
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
    assert len(functions) == len(FUNCTIONS)
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
        own = {
            "lake-maintenance": synthesis.environment.maintenance.variables(),
            "gap-repair": synthesis.environment.gaps.variables(),
        }.get(service, {})
        assert variables == own | {
            "VINTNER_ENVIRONMENT": synthesis.environment.name,
            "VINTNER_GLUE_DATABASE": names.glue_database,
            "VINTNER_WAREHOUSE": names.warehouse,
            "VINTNER_ONLINE_TABLE": names.online_table,
            "VINTNER_POSITIONS_TABLE": names.positions_table,
            "VINTNER_LEDGER_TABLE": names.ledger_table,
            "VINTNER_LETTERS_TABLE": names.letters_table,
            "VINTNER_STATE_BUCKET": names.state_bucket,
            "VINTNER_DEAD_LETTERS_BUCKET": names.dead_letters_bucket,
            "VINTNER_DROP_BUCKET": names.drop_bucket,
            "POWERTOOLS_SERVICE_NAME": service,
            "POWERTOOLS_METRICS_NAMESPACE": f"Vintner/{synthesis.environment.name}",
            "POWERTOOLS_LOG_LEVEL": synthesis.environment.log_level.value,
        }


def test_every_route_is_described_by_its_function_and_signed(synthesis: Synthesis):
    routes = [route.properties for route in synthesis.resources("AWS::ApiGatewayV2::Route")]
    described = {
        f"{method.upper()} {path}"
        for document in paths.FUNCTIONS.glob("*/openapi.json")
        for path, operations in json.loads(document.read_text(encoding="utf-8"))["paths"].items()
        for method in operations
    }
    assert {route["RouteKey"] for route in routes} == described
    assert described >= {
        "GET /v1/health",
        "GET /v1/features/{view}/online",
        "POST /v1/features/{view}/as-of",
        "GET /v1/datasets/{dataset}/vintage",
        "GET /v1/datasets/{dataset}/history",
        "POST /v1/streams/{stream}/records",
        "GET /v1/dead-letters",
        "POST /v1/dead-letters/{letter}/redrive",
    }
    assert {route["AuthorizationType"] for route in routes} == {"AWS_IAM"}


def test_the_api_may_call_every_function_that_describes_routes_and_no_other(synthesis: Synthesis):
    names = names_in_findings(synthesis.environment)
    called = {
        text(permission.properties["FunctionName"])
        for permission in synthesis.resources("AWS::Lambda::Permission")
        if permission.properties["Principal"] == "apigateway.amazonaws.com"
    }
    [own] = [one.logical_id for one in synthesis.resources("AWS::Lambda::Function") if one.stack == "api"]
    described = {path.parent.name for path in paths.FUNCTIONS.glob("*/openapi.json")}
    assert called == {f"<{own}.Arn>"} | {names.function_arn(folder) for folder in described - {"features_api"}}


def test_a_function_behind_the_api_that_describes_no_route_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paths, "FUNCTIONS", tmp_path)
    with pytest.raises(NoRoutesError, match=r"functions/silent is behind the HTTP API and has no openapi\.json"):
        routes_of("silent")


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
    tables = list(prod.resources("AWS::DynamoDB::GlobalTable"))
    assert len(tables) == 4
    for table in tables:
        [replica] = table.properties["Replicas"]
        assert replica["DeletionProtectionEnabled"] is True
        assert replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    stacks = [artifact for artifact in prod.manifest.values() if artifact["type"] == "aws:cloudformation:stack"]
    assert [stack["properties"].get("terminationProtection") for stack in stacks] == [True] * len(CAPABILITIES)


def test_only_the_online_table_forgets(syntheses: Mapping[str, Synthesis]):
    forgets = {
        table.properties["TableName"]: table.properties.get("TimeToLiveSpecification")
        for table in syntheses["prod"].resources("AWS::DynamoDB::GlobalTable")
    }
    assert {name: told for name, told in forgets.items() if told} == {
        "vintner-prod-online": {"AttributeName": EXPIRES, "Enabled": True}
    }


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
        "DropBucket",
        "FeaturesFunction",
        "GlueDatabase",
        "KeyArn",
        "LakeBucket",
        "LedgerTable",
        "LettersTable",
        "MacroDataProcessor",
        "MacroDataStream",
        "MaintenanceFunction",
        "MarketDataProcessor",
        "MarketDataStream",
        "MarketDataTradesRecordsStream",
        "OnlineTable",
        "PositionsTable",
        "StateBucket",
        "Warehouse",
    }


def _tags(resource: Resource) -> dict[str, str]:
    properties = resource.properties
    tags = properties["Replicas"][0]["Tags"] if "Replicas" in properties else properties.get("Tags", [])
    return tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}


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
