"""From what was broken or went wrong to what has to happen next.

Rules are named in two or three words by whoever refuses a record (:mod:`vintner.messaging.wire`,
:mod:`vintner.messaging.envelope`, validation, normalisation); failures by the type and the message of an error, as
Lambda and the AWS SDKs tell them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from vintner.messaging.deadletters.model import Cause

RULES: Final[Mapping[str, Cause]] = MappingProxyType(
    {
        "malformed bytes": Cause.POISON,
        "checksum": Cause.POISON,
        "schema differs": Cause.POISON,
        "is not an object": Cause.POISON,
        "missing or not text": Cause.POISON,
        "missing or not a list": Cause.POISON,
        "oversized batch": Cause.POISON,
        "schema too new": Cause.DEPLOYMENT,
        "unknown format": Cause.DEPLOYMENT,
        "unknown record": Cause.DEPLOYMENT,
        "unknown schema": Cause.DEPLOYMENT,
        "unknown dataset": Cause.DEPLOYMENT,
        "unknown field": Cause.DEPLOYMENT,
        "unknown column": Cause.DEPLOYMENT,
        "unknown venue": Cause.DEPLOYMENT,
        "unknown interval": Cause.DEPLOYMENT,
        "unknown condition": Cause.DEPLOYMENT,
    }
)
"""Cause by rule, where a rule says more than that something is wrong with a record's values.

Rules about what is not known yet (``unknown symbol at that time``) are recognised by their beginning.
"""

_UNKNOWN_THING: Final = re.compile(r"^(?:unknown|unmapped|no) (?:entity|instrument|mapping|order|signal|symbol)\b")

_TRANSIENT: Final = re.compile(
    r"throttl|toomanyrequests|rate ?exceeded|provisionedthroughput|requestlimit|limitexceeded|slow ?down"
    r"|serviceunavailable|service unavailable|internal ?server ?error|internalfailure|internal failure"
    r"|serviceexception|sdkclientexception|transactionconflict|concurrentmodification"
    r"|connection|endpoint|read ?timeout|timeouterror|timed out while|requesttimeout|expiredtoken"
    r"|commitrefused|commitunknown|commitfailed|streamunavailable|onlinewrite|backpressure|circuitopen|batchnotfinished",
    re.IGNORECASE,
)
_TOO_MUCH: Final = re.compile(
    r"task timed out|sandbox\.timedout|runtime\.exiterror|outofmemory|memoryerror", re.IGNORECASE
)


def cause_of_rule(rule: str) -> Cause:
    """Return why a record was refused, by the rule it breaks; a rule not listed is one about its values.

    Examples
    --------
    >>> cause_of_rule("schema too new").value, cause_of_rule("price not above zero").value
    ('waits for deployment', 'fixable')
    """
    name = rule.strip().lower()
    if name in RULES:
        return RULES[name]
    return Cause.DATA if _UNKNOWN_THING.match(name) else Cause.FIXABLE


def cause_of_failure(kind: str, message: str = "") -> Cause:
    """Return why a call failed, by the type and the message of its error.

    A function that ran out of time or memory may have been given too much at once: that is not transient, and a
    smaller part may pass.

    Examples
    --------
    >>> cause_of_failure("ProvisionedThroughputExceededException").value, cause_of_failure("KeyError").value
    ('transient', 'unknown')
    >>> cause_of_failure("Sandbox.Timedout", "Task timed out after 60.00 seconds").value
    'unknown'
    """
    told = f"{kind} {message}"
    if _TOO_MUCH.search(told):
        return Cause.UNKNOWN
    return Cause.TRANSIENT if _TRANSIENT.search(told) else Cause.UNKNOWN
