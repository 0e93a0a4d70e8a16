"""API: features, vintages, ingest and operations over HTTP, for callers that sign their requests.

The routes are those of the functions' OpenAPI documents.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import (
    Duration,
    aws_apigatewayv2,
    aws_apigatewayv2_authorizers,
    aws_apigatewayv2_integrations,
    aws_lambda,
)
from constructs import Construct

from infra.constructs import HandlerFunction, KeptLogs, Layers
from infra.constructs.alarms import alarm_above
from infra.constructs.permissions import query_online, read_lake
from infra.environments import Environment
from infra.environments.model import GATEWAY_SECONDS
from infra.routes import routes_of
from infra.shared import Shared
from infra.stacks.base import CapabilityStack
from infra.stacks.dead_letters import OPERATIONS, DeadLettersStack
from infra.stacks.features import FeaturesStack
from infra.stacks.foundation import FoundationStack
from infra.stacks.ingress import HTTP, IngressStack
from infra.stacks.lake import LakeStack

_READS: Final = "features_api"
_ACCESS_LOG: Final = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "caller": "$context.identity.userArn",
    "address": "$context.identity.sourceIp",
    "route": "$context.routeKey",
    "path": "$context.path",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "milliseconds": "$context.responseLatency",
    "error": "$context.integrationErrorMessage",
}


class ApiStack(CapabilityStack):
    """The HTTP API; the function that reads, which may read the lake and query the online table; routes of others."""

    def __init__(
        self,
        scope: Construct,
        *,
        environment: Environment,
        foundation: FoundationStack,
        lake: LakeStack,
        features: FeaturesStack,
        ingress: IngressStack,
        dead_letters: DeadLettersStack,
    ) -> None:
        super().__init__(
            scope,
            environment=environment,
            capability="api",
            description="Vintner: features, vintages, ingest and operations over HTTP.",
        )
        shared = foundation.shared_with(self)
        for needed in (lake, features, ingress, dead_letters):
            self.add_stack_dependency(needed)
        function = HandlerFunction(
            self,
            "Function",
            shared=shared,
            layers=Layers(self, "Layers", shared=shared, owner="api"),
            folder=_READS,
            description="Answers reads of features and vintages.",
            size=environment.features_api.function,
            permissions=[*read_lake(self.names), *query_online(self.names)],
        )
        api = self._make_api()
        self._route(api, _READS, function, "Integration")
        self._route(api, HTTP, self._function(HTTP), "Ingest")
        self._route(api, OPERATIONS, self._function(OPERATIONS), "Operations")
        self._make_stage(shared, api)
        self._watch(shared, api)
        self.answer("ApiUrl", api.api_endpoint, "Address of the HTTP API; requests are signed for execute-api.")
        self.answer("ApiId", api.api_id, "Id of the HTTP API.")
        self.answer("FeaturesFunction", self.names.of("features-api"), "Function behind the HTTP API.")

    def _make_api(self) -> aws_apigatewayv2.HttpApi:
        return aws_apigatewayv2.HttpApi(
            self,
            "Api",
            api_name=self.names.of("features"),
            description="Features, vintages, ingest, operations.",
            create_default_stage=False,
            default_authorizer=aws_apigatewayv2_authorizers.HttpIamAuthorizer(),
        )

    def _function(self, folder: str) -> aws_lambda.IFunction:
        """Return a function of another stack, by its name."""
        return aws_lambda.Function.from_function_attributes(
            self,
            folder.title().replace("_", ""),
            function_arn=self.names.function_arn(folder),
            same_environment=True,
        )

    def _route(
        self, api: aws_apigatewayv2.HttpApi, folder: str, function: aws_lambda.IFunction, construct_id: str
    ) -> None:
        integration = aws_apigatewayv2_integrations.HttpLambdaIntegration(
            construct_id,
            function,
            payload_format_version=aws_apigatewayv2.PayloadFormatVersion.VERSION_2_0,
            scope_permission_to_route=False,
            timeout=Duration.seconds(GATEWAY_SECONDS),
        )
        for route in routes_of(folder):
            method = aws_apigatewayv2.HttpMethod[route.method]
            api.add_routes(path=route.path, methods=[method], integration=integration)

    def _make_stage(self, shared: Shared, api: aws_apigatewayv2.HttpApi) -> None:
        size = shared.environment.features_api
        logs = KeptLogs(self, "AccessLogGroup", shared=shared, name=self.names.service_log_group("api/features"))
        stage = aws_apigatewayv2.CfnStage(
            self,
            "Stage",
            api_id=api.api_id,
            stage_name="$default",
            auto_deploy=True,
            access_log_settings=aws_apigatewayv2.CfnStage.AccessLogSettingsProperty(
                destination_arn=logs.log_group_arn, format=self.to_json_string(_ACCESS_LOG)
            ),
            default_route_settings=aws_apigatewayv2.CfnStage.RouteSettingsProperty(
                detailed_metrics_enabled=True,
                throttling_rate_limit=size.requests_per_second,
                throttling_burst_limit=size.burst,
            ),
        )
        stage.add_resource_dependency(api.node.default_child)  # type: ignore[arg-type]

    def _watch(self, shared: Shared, api: aws_apigatewayv2.HttpApi) -> None:
        alarm_above(
            self,
            "ServerErrorsAlarm",
            shared=shared,
            name="features-api-server-errors",
            meaning="The features API answered with 5xx: the function's log group has the cause.",
            metric=api.metric_server_error(statistic="Sum", period=Duration.minutes(1)),
            threshold=0,
        )
