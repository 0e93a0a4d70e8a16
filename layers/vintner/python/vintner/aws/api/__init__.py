"""What the HTTP APIs share: checked parameters, JSON answers, problem documents, and their description."""

from vintner.aws.api.documents import JSON, cell, json_body, table_document
from vintner.aws.api.openapi import Operation, openapi_document
from vintner.aws.api.parameters import (
    Entity,
    Instant,
    Parameters,
    Revision,
    Revisions,
    broken_rule,
    from_body,
    from_query,
)
from vintner.aws.api.problems import PROBLEM_JSON, ParameterError, TooLargeError, is_fault, problem_document
from vintner.aws.api.serving import Handler, answered, api_handler

__all__ = [
    "JSON",
    "PROBLEM_JSON",
    "Entity",
    "Handler",
    "Instant",
    "Operation",
    "ParameterError",
    "Parameters",
    "Revision",
    "Revisions",
    "TooLargeError",
    "answered",
    "api_handler",
    "broken_rule",
    "cell",
    "from_body",
    "from_query",
    "is_fault",
    "json_body",
    "openapi_document",
    "problem_document",
    "table_document",
]
