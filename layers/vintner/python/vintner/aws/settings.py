"""What a process must be told of its deployment, read from the environment once and then frozen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vintner.errors import VintnerError


class SettingsError(VintnerError):
    """The environment does not say what a process needs."""

    template = "environment variables {names} are missing or wrong: {detail}; set them as the deployment does"


class Variables(BaseModel):
    """What is read from environment variables: each field from the prefix + its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    prefix: ClassVar[str] = "VINTNER_"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings.

        Raises
        ------
        SettingsError
            Naming every variable that is missing or wrong.
        """
        environ = os.environ if environ is None else environ
        found = {name: cls._look_up(name, environ) for name in cls.model_fields}
        try:
            return cls.model_validate({name: value for name, value in found.items() if value is not None})
        except ValidationError as cause:
            wrong = [(cls.variable(str(error["loc"][0])), error["msg"].lower()) for error in cause.errors()]
            names = ", ".join(sorted({name for name, _ in wrong}))
            raise SettingsError(names=names, detail="; ".join(f"{name} {what}" for name, what in wrong)) from cause

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the variable that a field is read from."""
        return cls.prefix + field.upper()

    @classmethod
    def _look_up(cls, field: str, environ: Mapping[str, str]) -> str | None:
        return environ.get(cls.variable(field))


class Settings(Variables):
    """Where this deployment keeps its things.

    Each field is read from the variable ``VINTNER_`` + its name in capitals; ``region`` from ``AWS_REGION``.
    Endpoints are the SDKs' own variables (``AWS_ENDPOINT_URL``, ``AWS_ENDPOINT_URL_S3``, …).
    """

    model_config = ConfigDict(strict=True)

    environment: str = Field(pattern=r"^[a-z]+$")
    glue_database: str = Field(pattern=r"^[a-z0-9_]+$")
    warehouse: str = Field(pattern=r"^s3://[^/]+/.+$")
    online_table: str = Field(min_length=3)
    region: str = Field(min_length=1)

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the variable that a field is read from."""
        return "AWS_REGION" if field == "region" else super().variable(field)

    @classmethod
    def _look_up(cls, field: str, environ: Mapping[str, str]) -> str | None:
        found = super()._look_up(field, environ)
        return found or environ.get("AWS_DEFAULT_REGION") if field == "region" else found
