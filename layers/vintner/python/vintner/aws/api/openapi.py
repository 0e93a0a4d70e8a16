"""An API's OpenAPI document, made of the same models that check its requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vintner.aws.api.parameters import Parameters
from vintner.aws.api.problems import PROBLEM_JSON

_REFERENCES: Final = "#/components/schemas/{model}"
_PROBLEM_REFERENCE: Final = {"$ref": "#/components/schemas/Problem"}

_PROBLEM_SCHEMA: Final = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The request's id."},
        "parameter": {"type": "string", "description": "The parameter at fault."},
        "remedy": {"type": "string", "description": "What to do."},
    },
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One route: what it takes, and the JSON schema of what it answers.

    ``path`` marks its parameters with braces; ``query`` and ``body`` are the models that check them.
    """

    name: str
    method: str
    path: str
    summary: str
    answer: Mapping[str, Any]
    query: type[Parameters] | None = None
    body: type[Parameters] | None = None
    problems: Mapping[int, str] = field(default_factory=dict)


def openapi_document(title: str, version: str, operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these operations.

    Examples
    --------
    >>> health = Operation(name="health", method="GET", path="/v1/health", summary="Is it there?", answer={})
    >>> list(openapi_document("demo", "1", [health])["paths"])
    ['/v1/health']
    """
    schemas: dict[str, Any] = {"Problem": _PROBLEM_SCHEMA}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "security": [{"sigv4": []}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"sigv4": _SIGV4}},
    }


_SIGV4: Final = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "x-amazon-apigateway-authtype": "awsSigv4",
}


def _operation(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    path_parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": path_parameters + _query_parameters(operation.query, schemas),
        "responses": {"200": {"description": "The answer", "content": _json(operation.answer)}} | _problems(operation),
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _json(_component(operation.body, schemas))}
    return described


def _query_parameters(model: type[Parameters] | None, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema(by_alias=True, ref_template=_REFERENCES)
    schemas.update(schema.pop("$defs", {}))
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": described}
        for name, described in schema["properties"].items()
    ]


def _component(model: type[Parameters], schemas: dict[str, Any]) -> dict[str, str]:
    schema = model.model_json_schema(by_alias=True, ref_template=_REFERENCES)
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
    return {"$ref": _REFERENCES.format(model=model.__name__)}


def _problems(operation: Operation) -> dict[str, Any]:
    told = {**operation.problems, 500: "The request failed on our side"}
    content = {PROBLEM_JSON: {"schema": _PROBLEM_REFERENCE}}
    return {str(status): {"description": reason, "content": content} for status, reason in told.items()}


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
