"""What a process must be told of its deployment, read from the environment once and then frozen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vintner.errors import VintnerError


class SettingsError(VintnerError):
    """The environment does not say what a process needs."""

    template = "environment variables {names} are missing or wrong: {detail}; set them as the deployment does"


class Settings(BaseModel):
    """Where this deployment keeps its things.

    Each field is read from the variable ``VINTNER_`` + its name in capitals; ``region`` from ``AWS_REGION``.
    Endpoints are the SDKs' own variables (``AWS_ENDPOINT_URL``, ``AWS_ENDPOINT_URL_S3``, …).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    environment: str = Field(pattern=r"^[a-z]+$")
    glue_database: str = Field(pattern=r"^[a-z0-9_]+$")
    warehouse: str = Field(pattern=r"^s3://[^/]+/.+$")
    online_table: str = Field(min_length=3)
    region: str = Field(min_length=1)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings.

        Raises
        ------
        SettingsError
            Naming every variable that is missing or wrong.
        """
        environ = os.environ if environ is None else environ
        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        found = {name: environ.get(_variable(name)) for name in cls.model_fields if name != "region"} | {
            "region": region
        }
        try:
            return cls.model_validate({name: value for name, value in found.items() if value is not None})
        except ValidationError as cause:
            names = sorted({_variable(str(error["loc"][0])) for error in cause.errors()})
            detail = "; ".join(f"{_variable(str(error['loc'][0]))} {error['msg'].lower()}" for error in cause.errors())
            raise SettingsError(names=", ".join(names), detail=detail) from cause


def _variable(field: str) -> str:
    return "AWS_REGION" if field == "region" else f"VINTNER_{field.upper()}"
