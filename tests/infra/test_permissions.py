"""What each role may do."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from infra.constructs.permissions import wildcards
from infra.nag import names_in_findings
from tests.infra.synthesis import Synthesis, as_list, grants, text
from vintner.datasets import dataset_of
from vintner.messaging.streams import STREAMS, Role

LANDS = {"glue:UpdateTable", "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"}
"""What whoever commits to the lake may do there."""


def test_a_role_holds_no_wildcard_that_is_not_explained(synthesis: Synthesis):
    explained = wildcards(names_in_findings(synthesis.environment))
    for owner, statement in grants(synthesis):
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
        for _, statement in grants(synthesis)
        if "*" in map(text, as_list(statement["Resource"]))
        for action in as_list(statement["Action"])
    }
    assert actions == {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}


@pytest.mark.parametrize(
    ("function", "writes"),
    [
        ("features-api", set()),
        ("market-data-processor", LANDS | {"dynamodb:BatchWriteItem"}),
        ("lake-maintenance", LANDS),
        ("lake-maintenance-schedule", {"lambda:InvokeFunction"}),
        ("trades-processor", {"kinesis:PutRecords", "dynamodb:PutItem", "s3:PutObject", "s3:DeleteObject"}),
        ("quotes-processor", {"kinesis:PutRecords", "dynamodb:PutItem", "s3:PutObject", "s3:DeleteObject"}),
        ("features-processor", {"kinesis:PutRecords", "dynamodb:PutItem", "s3:PutObject", "s3:DeleteObject"}),
        ("trades-lander", LANDS),
        ("vectors-lander", LANDS | {"dynamodb:BatchWriteItem"}),
        ("orders-ledger", LANDS | {"dynamodb:PutItem", "dynamodb:UpdateItem"}),
        ("http-ingest", {"kinesis:PutRecords"}),
        ("file-drop", {"kinesis:PutRecords", "s3:PutObject"}),
        ("dead-letters", {"kinesis:PutRecords", "dynamodb:DeleteItem", "dynamodb:PutItem", "lambda:InvokeFunction"}),
        ("operations-api", {"dynamodb:DeleteItem", "dynamodb:PutItem", "lambda:InvokeFunction"}),
        ("gap-repair", {"kinesis:PutRecords", "dynamodb:PutItem"}),
    ],
)
def test_a_function_writes_only_what_it_is_for(syntheses: Mapping[str, Synthesis], function: str, writes: set[str]):
    reads = re.compile(r":(Get|BatchGet|List|Describe|Query)|^(kms|xray|logs):")
    granted = {
        action
        for owner, statement in grants(syntheses["prod"])
        if owner == f"vintner-prod-{function}-eu-west-1"
        and statement.get("Sid") not in ("WriteDeadLetters", "FindDeadLetters")
        for action in as_list(statement["Action"])
        if not reads.search(action)
    }
    assert granted == writes


def test_maintenance_alone_may_remove_data_and_nobody_versions_of_it(synthesis: Synthesis):
    removes = {
        (owner, action, text(resource))
        for owner, statement in grants(synthesis)
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
        if action.startswith("s3:Delete")
    }
    names = names_in_findings(synthesis.environment)
    assert {action for _, action, _ in removes} == {"s3:DeleteObject"}
    of_the_lake = {(owner, resource) for owner, _, resource in removes if f":{names.lake_bucket}/" in resource}
    assert {owner for owner, resource in of_the_lake if not resource.endswith("/metadata/*.avro")} == {
        names.role("lake-maintenance")
    }
    for owner, _, resource in removes:
        own = owner.removeprefix(names.of("")).removesuffix(f"-{names.environment.region}").replace("-", "_")
        assert (owner, resource) in of_the_lake or resource == f"arn:aws:s3:::{names.state_bucket}/snapshots/{own}/*"
    assert (names.role("lake-maintenance"), f"arn:aws:s3:::{names.lake_bucket}/lake/*") in {
        (owner, resource) for owner, _, resource in removes
    }


def test_landers_write_online_what_their_datasets_serve_and_nothing_else(synthesis: Synthesis):
    names = names_in_findings(synthesis.environment)
    writers = {owner for owner, one in grants(synthesis) if "dynamodb:BatchWriteItem" in as_list(one["Action"])}
    landers = {
        names.role(consumer.function.replace("_", "-")): dataset_of(stream.name).served
        for stream in STREAMS.values()
        for consumer in stream.consumers
        if consumer.role is not Role.PROCESSOR
    }
    assert {owner for owner, served in landers.items() if served} == writers & set(landers)


def test_a_processor_reaches_no_state_but_its_own(synthesis: Synthesis):
    names = names_in_findings(synthesis.environment)
    processors = [one.function for stream in STREAMS.values() for one in stream.consumers if one.role is Role.PROCESSOR]
    for folder in [*processors, "gap_repair"]:
        own = [one for owner, one in grants(synthesis) if owner == names.role(folder.replace("_", "-"))]
        [positions] = [one for one in own if text(one["Resource"]) == names.table_arn(names.positions_table)]
        assert positions["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{folder}#*"]}}
        # Without keys the condition holds: what names none (Scan) must not be granted.
        assert set(as_list(positions["Action"])) == {"dynamodb:GetItem", "dynamodb:PutItem"}
        objects = {
            text(one["Resource"])
            for one in own
            if text(one["Resource"]).startswith(f"arn:aws:s3:::{names.state_bucket}/")
        }
        assert objects == (
            {f"arn:aws:s3:::{names.state_bucket}/snapshots/{folder}/*"} if folder in processors else set()
        )


def test_dead_letters_may_be_given_back_to_whoever_left_them_and_operations_have_that_done(synthesis: Synthesis):
    names = names_in_findings(synthesis.environment)
    called: dict[str, set[str]] = {}
    for owner, statement in grants(synthesis):
        if "lambda:InvokeFunction" in as_list(statement["Action"]):
            called.setdefault(owner, set()).update(map(text, as_list(statement["Resource"])))
    consumers = [one.function for stream in STREAMS.values() for one in stream.consumers]
    others = ["market_data_processor", "macro_data_processor", "file_drop", "gap_repair", "lake_maintenance"]
    assert called[names.role("dead-letters")] == {names.function_arn(folder) for folder in consumers + others}
    assert called[names.role("operations-api")] == {names.function_arn("dead_letters")}


def test_a_dropped_file_is_never_changed(synthesis: Synthesis):
    names = names_in_findings(synthesis.environment)
    writers = {
        (owner, text(resource))
        for owner, statement in grants(synthesis)
        for resource in as_list(statement["Resource"])
        if set(as_list(statement["Action"])) & {"s3:PutObject", "s3:DeleteObject"}
        and text(resource).startswith(f"arn:aws:s3:::{names.drop_bucket}/")
    }
    folders = (f"arn:aws:s3:::{names.drop_bucket}/{folder}/*" for folder in ("progress", "refused"))
    assert writers == {(names.role("file-drop"), folder) for folder in folders}
