"""Streams and their consumers: what the templates make of the declarations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from infra import paths
from infra.nag import names_in_findings
from infra.stacks.ingress import OPEN
from tests.infra.synthesis import Synthesis, as_list, grants, text
from vintner.aws.ingress import drop, reading
from vintner.messaging.streams import STREAMS, Consumer, Criticality, Role, Stream

FACTS = ("market-data", "macro-data")


def _consumers(*roles: Role) -> list[tuple[Stream, Consumer]]:
    chosen = roles or tuple(Role)
    return [(stream, one) for stream in STREAMS.values() for one in stream.consumers if one.role in chosen]


def _name(consumer: Consumer) -> str:
    return consumer.function.replace("_", "-")


def _mappings(synthesis: Synthesis) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Each mapping with the names of its stream and function after the environment's prefix."""
    prefix = f"vintner-{synthesis.environment.name}-"
    for mapping in synthesis.resources("AWS::Lambda::EventSourceMapping"):
        resources = synthesis.templates[mapping.stack]["Resources"]
        function = resources[mapping.properties["FunctionName"]["Ref"]]["Properties"]["FunctionName"]
        source = mapping.properties["EventSourceArn"]
        if "Fn::GetAtt" in source:
            source = resources[source["Fn::GetAtt"][0]]["Properties"]["Name"]
        stream = text(source).rsplit("/", 1)[-1]
        yield stream.removeprefix(prefix), text(function).removeprefix(prefix), mapping.properties


def _alarms(synthesis: Synthesis) -> dict[str, Mapping[str, Any]]:
    prefix = f"vintner-{synthesis.environment.name}-"
    found = synthesis.resources("AWS::CloudWatch::Alarm")
    return {text(alarm.properties["AlarmName"]).removeprefix(prefix): alarm.properties for alarm in found}


def test_there_is_a_stream_for_every_declaration_and_no_other(synthesis: Synthesis):
    names = [text(stream.properties["Name"]) for stream in synthesis.resources("AWS::Kinesis::Stream")]
    wanted = [stream.resource_name for stream in STREAMS.values()] + list(FACTS)
    assert sorted(names) == sorted(f"vintner-{synthesis.environment.name}-{name}" for name in wanted)


def test_a_stream_is_as_large_and_remembers_as_long_as_it_says(synthesis: Synthesis):
    found = {text(one.properties["Name"]): one.properties for one in synthesis.resources("AWS::Kinesis::Stream")}
    for stream in STREAMS.values():
        properties = found[f"vintner-{synthesis.environment.name}-{stream.resource_name}"]
        size = synthesis.environment.streams[stream.name]
        assert properties["ShardCount"] == size.shards
        assert properties["RetentionPeriodHours"] == max(size.retention_hours, stream.retention_hours)
        assert properties["StreamEncryption"]["EncryptionType"] == "KMS"


def test_every_consumer_is_fed_by_its_stream_and_nothing_else(synthesis: Synthesis):
    fed = sorted((stream, function) for stream, function, _ in _mappings(synthesis))
    declared = [(stream.resource_name, _name(consumer)) for stream, consumer in _consumers()]
    assert fed == sorted(declared + [(facts, f"{facts}-processor") for facts in FACTS])


def test_a_mapping_never_blocks_its_shard(synthesis: Synthesis):
    for _, _, mapping in _mappings(synthesis):
        assert mapping["StartingPosition"] == "TRIM_HORIZON"
        assert mapping["ParallelizationFactor"] == 1
        assert mapping["BisectBatchOnFunctionError"] is True
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert 0 <= mapping["MaximumRetryAttempts"] < 10_000
        assert 60 <= mapping["MaximumRecordAgeInSeconds"] <= 604_800
        assert "-dead-letters-" in text(mapping["DestinationConfig"]["OnFailure"]["Destination"])


def test_batches_are_those_of_the_consumers_role(synthesis: Synthesis):
    found = {function: mapping for _, function, mapping in _mappings(synthesis)}
    for _, consumer in _consumers():
        size, mapping = synthesis.environment.consumers[consumer.role], found[_name(consumer)]
        assert mapping["BatchSize"] == size.batch_size
        assert mapping["MaximumBatchingWindowInSeconds"] == size.batching_window_seconds
        assert mapping["MaximumRetryAttempts"] == size.retry_attempts
        assert mapping["MaximumRecordAgeInSeconds"] == size.record_age_seconds


def test_critical_streams_are_tried_for_longer_and_watched_closer(synthesis: Synthesis):
    tried = {function: mapping["MaximumRecordAgeInSeconds"] for _, function, mapping in _mappings(synthesis)}
    late = {name: alarm["Threshold"] for name, alarm in _alarms(synthesis).items() if name.endswith("-late")}
    critical = [_name(one) for stream, one in _consumers() if stream.criticality is Criticality.CRITICAL]
    standard = [_name(one) for stream, one in _consumers() if stream.criticality is not Criticality.CRITICAL]
    assert critical
    assert min(tried[name] for name in critical) > max(tried[name] for name in standard)
    assert max(late[f"{name}-late"] for name in critical) < min(late[f"{name}-late"] for name in standard)


def test_whatever_goes_wrong_with_a_consumer_raises_an_alarm(synthesis: Synthesis):
    alarms, own = _alarms(synthesis), f"Vintner/{synthesis.environment.name}"
    for _, consumer in _consumers():
        for state, metric, namespace in (
            ("errors", "Errors", "AWS/Lambda"),
            ("throttles", "Throttles", "AWS/Lambda"),
            ("late", "IteratorAge", "AWS/Lambda"),
            ("lagging", "LagMilliseconds", own),
            ("dead-letters", "OnFailureDestinationDeliveredEventCount", "AWS/Lambda"),
            ("dropped", "DroppedEventCount", "AWS/Lambda"),
            ("dead-letters-lost", "DestinationDeliveryFailures", "AWS/Lambda"),
        ):
            alarm = alarms[f"{_name(consumer)}-{state}"]
            assert (alarm["MetricName"], alarm["Namespace"]) == (metric, namespace)
            assert alarm["AlarmActions"]
    for stream in STREAMS.values():
        assert alarms[f"{stream.resource_name}-late"]["MetricName"] == "GetRecords.IteratorAgeMilliseconds"
        assert alarms[f"{stream.resource_name}-throttled"]["MetricName"] == "WriteProvisionedThroughputExceeded"


def test_every_function_that_fills_its_memory_raises_an_alarm(synthesis: Synthesis):
    filters = [one.properties for one in synthesis.resources("AWS::Logs::MetricFilter")]
    alarms = _alarms(synthesis)
    functions = [one.properties for one in synthesis.resources("AWS::Lambda::Function")]
    assert len(filters) == len(functions)
    measured = {text(one["MetricTransformations"][0]["MetricName"]) for one in filters}
    for function in functions:
        name = text(function["FunctionName"]).removeprefix(f"vintner-{synthesis.environment.name}-")
        assert name in measured
        alarm = alarms[f"{name}-memory"]
        namespace = f"Vintner/{synthesis.environment.name}/memory"
        assert (alarm["Namespace"], alarm["MetricName"]) == (namespace, name)
        assert alarm["Threshold"] == pytest.approx(0.9 * function["MemorySize"])


def test_what_cannot_be_mended_raises_an_alarm(synthesis: Synthesis):
    alarms = _alarms(synthesis)
    for name, metric, service in (
        ("dead-letters-waiting", "DeadLettersWaiting", "dead-letters"),
        ("dead-letters-parked", "DeadLettersParked", "dead-letters"),
        ("gap-repair-unrepaired", "UnrepairedGaps", "gap-repair"),
        ("gap-repair-circuit-open", "CircuitsOpen", "gap-repair"),
    ):
        alarm = alarms[name]
        assert (alarm["MetricName"], alarm["Threshold"]) == (metric, 0)
        assert alarm["Namespace"] == f"Vintner/{synthesis.environment.name}"
        told_apart = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
        assert told_apart == {"environment": synthesis.environment.name, "service": service}


def test_every_metric_of_ours_that_is_watched_is_written_by_some_code(synthesis: Synthesis):
    sources = [paths.LIBRARY_LAYER / "python" / "vintner" / "aws", paths.FUNCTIONS]
    written = "".join(path.read_text(encoding="utf-8") for folder in sources for path in folder.rglob("*.py"))
    own = f"Vintner/{synthesis.environment.name}"
    watched = {alarm["MetricName"] for alarm in _alarms(synthesis).values() if alarm["Namespace"] == own}
    assert "TablesLeft" in watched
    assert not {name for name in watched if f'"{name}"' not in written}


def test_dead_letters_and_gaps_are_looked_at_every_minute(synthesis: Synthesis):
    called = {}
    for schedule in synthesis.resources("AWS::Scheduler::Schedule"):
        resources = synthesis.templates[schedule.stack]["Resources"]
        function = resources[schedule.properties["Target"]["Arn"]["Fn::GetAtt"][0]]["Properties"]["FunctionName"]
        called[text(function)] = schedule.properties
    for name in ("dead-letters", "gap-repair"):
        found = called[f"vintner-{synthesis.environment.name}-{name}"]
        assert found["ScheduleExpression"] == "rate(1 minute)"
        assert found["FlexibleTimeWindow"] == {"Mode": "OFF"}


def test_a_dropped_file_calls_its_function(synthesis: Synthesis):
    names = names_in_findings(synthesis.environment)
    resources = synthesis.templates["ingress"]["Resources"]
    [bucket] = [
        one for one in resources.values() if text(one.get("Properties", {}).get("BucketName")) == names.drop_bucket
    ]
    [told] = bucket["Properties"]["NotificationConfiguration"]["LambdaConfigurations"]
    function = resources[told["Function"]["Fn::GetAtt"][0]]["Properties"]
    assert (told["Event"], text(function["FunctionName"])) == ("s3:ObjectCreated:*", names.function("file_drop"))
    # What the function writes there must not call it again.
    assert told["Filter"]["S3Key"]["Rules"] == [{"Name": "prefix", "Value": drop.INCOMING}]
    [permission] = [resources[name]["Properties"] for name in bucket["DependsOn"]]
    assert permission["Principal"] == "s3.amazonaws.com"
    assert text(permission["SourceArn"]) == f"arn:aws:s3:::{names.drop_bucket}"
    assert text(permission["SourceAccount"]) == names.account


def _published(synthesis: Synthesis) -> dict[str, set[str]]:
    """The streams that each function may put records into."""
    names = names_in_findings(synthesis.environment)
    found: dict[str, set[str]] = {}
    for owner, statement in grants(synthesis):
        if "kinesis:PutRecords" in as_list(statement["Action"]):
            streams = {
                text(one).rsplit("/", 1)[-1].removeprefix(names.of("")) for one in as_list(statement["Resource"])
            }
            found.setdefault(
                owner.removeprefix(names.of("")).removesuffix(f"-{names.environment.region}"), set()
            ).update(streams)
    return found


def test_a_function_puts_records_into_exactly_the_streams_it_is_declared_to(synthesis: Synthesis):
    every = {stream.resource_name for stream in STREAMS.values()}
    outside = {STREAMS[name].resource_name for name in OPEN}
    processors = {
        _name(one): {STREAMS[name].resource_name for name in one.produces} | {"market-data"}
        for _, one in _consumers(Role.PROCESSOR)
    }
    assert OPEN == reading.OPEN
    assert outside == {"market-data-trades", "market-data-l1", "signals", "orders", "fills"}
    assert _published(synthesis) == processors | {
        "http-ingest": outside,
        "file-drop": outside,
        "dead-letters": every | set(FACTS),
        "gap-repair": {"market-data-trades", "market-data"},
    }
