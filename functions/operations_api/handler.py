"""The operations API: dead letters listed, shown, asked to be tried again, discarded.

It decides and the function of dead letters does: asked to re-drive a letter, it notes that the letter is due, and
has that function called. So it has no right to put records to a stream or to call a consumer. It is a function of its
own because the features API, which answers reads for many, must not gain these rights either.

It needs
- the variables ``VINTNER_LETTERS_TABLE`` and ``VINTNER_DEAD_LETTERS_BUCKET``;
- on the table of letters ``dynamodb:GetItem``, ``Query``, ``PutItem``, ``DeleteItem``;
- ``s3:GetObject`` on the bucket of dead letters, for previews;
- ``lambda:InvokeFunction`` on the function of dead letters;
- the routes of ``openapi.json`` on the HTTP API, signed as all are; who may call them is for IAM to say, by route.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Final, Self

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from pydantic import Field, model_validator

from vintner.aws.api import (
    Operation,
    Parameters,
    answered,
    api_handler,
    broken_rule,
    from_body,
    from_query,
)
from vintner.aws.dead_letters import DeadLettersSettings, function_name, open_store
from vintner.aws.dead_letters_sources import object_reader
from vintner.aws.poke import poke
from vintner.aws.settings import Settings
from vintner.messaging.deadletters import (
    Cause,
    Desk,
    LetterFilter,
    LetterState,
    LetterStore,
    preview,
    shown,
    shown_step,
)

MOST: Final = 100
"""Most letters one answer holds, or one request asks for."""

app = APIGatewayHttpResolver()

Name = Annotated[str, Field(min_length=1, max_length=256)]
Reason = Annotated[str, Field(min_length=3, max_length=500)]
Limit = Annotated[int, Field(ge=1, le=MOST)]


class ListQuery(Parameters):
    """Query of a list: what is left out does not matter; ``next`` is what the last page ended with."""

    state: LetterState | None = None
    stream: Name | None = None
    function: Name | None = None
    cause: Cause | None = None
    rule: Name | None = None
    limit: Limit = 50
    next: str | None = None

    @property
    def wanted(self) -> LetterFilter:
        """The letters meant."""
        named = {name: getattr(self, name) for name in ("state", "stream", "function", "cause", "rule")}
        return LetterFilter(**named)


class RedriveBody(Parameters):
    """Body of a request to try one letter again."""

    reason: Reason


class RedriveAllBody(Parameters):
    """Body of a request to try letters again that have something in common; parked ones unless a state is given."""

    reason: Reason
    state: LetterState = LetterState.PARKED
    stream: Name | None = None
    function: Name | None = None
    cause: Cause | None = None
    rule: Name | None = None
    limit: Limit = MOST
    dry_run: bool = False

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if not any((self.stream, self.function, self.cause, self.rule)):
            raise broken_rule("is missing", "name at least one of stream, function, cause, rule", parameter="stream")
        return self

    @property
    def wanted(self) -> LetterFilter:
        """The letters meant."""
        named = {name: getattr(self, name) for name in ("state", "stream", "function", "cause", "rule")}
        return LetterFilter(**named)


class DiscardBody(Parameters):
    """Body of a request to give a letter up."""

    reason: Reason


@cache
def settings() -> Settings:
    """Where this deployment keeps its things."""
    return Settings.from_environment()


@cache
def where() -> DeadLettersSettings:
    """Where dead letters are."""
    return DeadLettersSettings.from_environment()


@cache
def store() -> LetterStore:
    """The letters."""
    return open_store(settings(), where())


@cache
def objects() -> Callable[[str], bytes | None]:
    """The bucket of dead letters."""
    return object_reader(where().dead_letters_bucket)


def clock() -> datetime:
    """The present, read once per step."""
    return datetime.now(UTC)


def call_processor(letters: list[str]) -> None:
    """Have the function of dead letters called with these letters."""
    if letters:
        poke(function_name(settings().environment), {"letters": letters})


@app.get("/v1/dead-letters")
def list_letters() -> Response[str]:
    """Answer with a page of letters."""
    query = from_query(ListQuery, app.current_event)
    page = store().page(query.wanted, limit=query.limit, after=query.next)
    return answered({"letters": [shown(one) for one in page.letters], "next": page.next})


@app.get("/v1/dead-letters/<letter>")
def show_letter(letter: str) -> Response[str]:
    """Answer with a letter, a preview of what failed, and every step so far."""
    found = store().get(letter)
    failed = preview(found, store().payload(letter), objects())
    steps = [shown_step(step) for step in store().history(letter)]
    return answered({"letter": shown(found), "payload": failed, "history": steps})


@app.post("/v1/dead-letters/<letter>/redrive")
def redrive_letter(letter: str) -> Response[str]:
    """Have a letter tried again."""
    body = from_body(RedriveBody, app.current_event.decoded_body)
    asked = Desk(store(), clock=clock).ask(letter, who=_caller(), why=body.reason)
    call_processor([asked.id])
    return answered({"letter": shown(asked)})


@app.post("/v1/dead-letters/redrive")
def redrive_letters() -> Response[str]:
    """Have letters tried again that have something in common."""
    body = from_body(RedriveAllBody, app.current_event.decoded_body)
    desk = Desk(store(), clock=clock)
    found = desk.ask_all(body.wanted, limit=body.limit, who=_caller(), why=body.reason, dry_run=body.dry_run)
    if not body.dry_run:
        call_processor([one.id for one in found])
    return answered({"dry_run": body.dry_run, "letters": [shown(one) for one in found]})


@app.post("/v1/dead-letters/<letter>/discard")
def discard_letter(letter: str) -> Response[str]:
    """Give a letter up."""
    body = from_body(DiscardBody, app.current_event.decoded_body)
    return answered({"letter": shown(Desk(store(), clock=clock).discard(letter, who=_caller(), why=body.reason))})


handler = api_handler(app)


def _caller() -> str:
    """Return who calls, for the history: the request is signed, so the gateway knows."""
    iam = app.current_event.request_context.authorizer.iam
    return f"api: {(iam.user_arn if iam else None) or 'unsigned'}"


_LETTER: Final = {
    "type": "object",
    "required": ["id", "kind", "state", "reason", "first_seen", "since"],
    "properties": {
        "id": {"type": "string"},
        "kind": {"enum": ["record", "batch", "invocation", "object"]},
        "state": {"enum": [state.value for state in LetterState]},
        "cause": {"enum": [*(cause.value for cause in Cause), None]},
        "reason": {"type": "string"},
        "first_seen": {"type": "string", "format": "date-time"},
        "since": {"type": "string", "format": "date-time"},
    },
}
_LETTERS: Final = {"type": "array", "items": _LETTER}
_ONE: Final = {"type": "object", "required": ["letter"], "properties": {"letter": _LETTER}}
_NOT_VALID: Final = {400: "A parameter is missing, unknown or not valid"}
_NONE: Final = {404: "No such dead letter"} | _NOT_VALID
_NOT_NOW: Final = {409: "The letter is in a state that does not allow it, or another changed it first"} | _NONE

OPERATIONS: Final = (
    Operation(
        name="list_letters",
        method="GET",
        path="/v1/dead-letters",
        summary="Dead letters, those that want a person first",
        query=ListQuery,
        answer={
            "type": "object",
            "required": ["letters", "next"],
            "properties": {"letters": _LETTERS, "next": {"type": ["string", "null"]}},
        },
        problems=_NOT_VALID,
    ),
    Operation(
        name="show_letter",
        method="GET",
        path="/v1/dead-letters/{letter}",
        summary="A dead letter, what failed, and every step so far",
        answer={
            "type": "object",
            "required": ["letter", "payload", "history"],
            "properties": {
                "letter": _LETTER,
                "payload": {"type": "object"},
                "history": {"type": "array", "items": {"type": "object"}},
            },
        },
        problems=_NONE,
    ),
    Operation(
        name="redrive_letter",
        method="POST",
        path="/v1/dead-letters/{letter}/redrive",
        summary="Have a dead letter tried again",
        body=RedriveBody,
        answer=_ONE,
        problems=_NOT_NOW,
    ),
    Operation(
        name="redrive_letters",
        method="POST",
        path="/v1/dead-letters/redrive",
        summary="Have dead letters tried again that have something in common",
        body=RedriveAllBody,
        answer={
            "type": "object",
            "required": ["dry_run", "letters"],
            "properties": {"dry_run": {"type": "boolean"}, "letters": _LETTERS},
        },
        problems=_NOT_VALID,
    ),
    Operation(
        name="discard_letter",
        method="POST",
        path="/v1/dead-letters/{letter}/discard",
        summary="Give a dead letter up",
        body=DiscardBody,
        answer=_ONE,
        problems=_NOT_NOW,
    ),
)
