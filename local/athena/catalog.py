"""The Glue catalog that the endpoint reads."""

from __future__ import annotations

import os
from typing import Final

from pyiceberg.catalog import Catalog
from pyiceberg.catalog.glue import GlueCatalog

_ENDPOINT: Final = "AWS_ENDPOINT_URL"


def open_glue_catalog() -> Catalog:
    """Return the Glue catalog of the AWS environment variables; PyIceberg has to be told the endpoints itself."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "eu-west-1"
    properties = {"glue.region": region, "s3.region": region}
    for service in ("s3", "glue"):
        endpoint = os.environ.get(f"{_ENDPOINT}_{service.upper()}") or os.environ.get(_ENDPOINT)
        if endpoint:
            properties[f"{service}.endpoint"] = endpoint
    return GlueCatalog("athena", **properties)
