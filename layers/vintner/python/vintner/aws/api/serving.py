"""What every function behind the HTTP API is wrapped in: problem documents for errors, logs, traces, and counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from vintner.aws.api.documents import JSON, json_body
from vintner.aws.api.problems import PROBLEM_JSON, is_fault, problem_document

Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]
Headers = Mapping[str, str | list[str]]

_NONE: Final[Headers] = MappingProxyType({})
_OUTCOMES: Final = MappingProxyType({4: "Problems", 5: "Faults"})


def answered(document: Mapping[str, Any]) -> Response[str]:
    """Return the answer that carries a document."""
    return Response(status_code=200, content_type=JSON, body=json_body(document))


def api_handler(
    app: APIGatewayHttpResolver,
    metrics: Metrics | None = None,
    *,
    headers: Callable[[Exception], Headers] = lambda _: _NONE,
) -> Handler:
    """Return the Lambda handler of an app's routes (payload format 2.0).

    Parameters
    ----------
    app
        The routes.
    metrics
        Where they count besides; what each request came to is counted there too.
    headers
        What an error's answer says besides its problem document.
    """
    logger, tracer, metrics = Logger(), Tracer(), metrics or Metrics()

    @app.exception_handler(Exception)  # type: ignore[untyped-decorator]  # Powertools leaves it without types
    def problem(error: Exception) -> Response[str]:
        if is_fault(error):
            logger.exception("The request failed")
        document = problem_document(error, instance=app.current_event.request_context.request_id)
        told = dict(headers(error))
        return Response(document["status"], content_type=PROBLEM_JSON, body=json_body(document), headers=told)

    @metrics.log_metrics(capture_cold_start_metric=True)
    @logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True)
    @tracer.capture_lambda_handler(capture_response=False)
    def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        answer: dict[str, Any] = app.resolve(event, context)
        outcome = _OUTCOMES.get(answer["statusCode"] // 100, "Answers")
        metrics.add_metric(name=outcome, unit=MetricUnit.Count, value=1)
        return answer

    wrapped: Handler = handler
    return wrapped
