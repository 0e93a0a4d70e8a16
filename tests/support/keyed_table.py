"""A DynamoDB table as the templates make them: keyed by the strings ``pk`` and ``sk``."""

from __future__ import annotations

from typing import Any


def make_keyed_table(client: Any, name: str) -> str:
    """Create a table; return its name."""
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    return name
