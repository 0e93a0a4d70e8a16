"""Calling a function without waiting for what it does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3


def poke(function: str, event: Mapping[str, Any], *, client: Any = None) -> None:
    """Have a function called with an event soon; it needs ``lambda:InvokeFunction`` on it.

    Examples
    --------
    >>> poke("vintner-dev-dead-letters", {"letters": ["letter-of-nobody"]})  # doctest: +SKIP
    """
    client = client or boto3.client("lambda")
    client.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event))
