"""Workgroups: where results go when a request does not say, and who decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from local.athena.errors import InvalidAthenaRequestError

_ENGINE: Final = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkGroup:
    """One workgroup.

    Parameters
    ----------
    name
        Its name.
    output
        Default ``s3://`` location of results, or None.
    enforced
        Whether ``output`` wins over what a request says.
    """

    name: str
    output: str | None = None
    enforced: bool = False
    description: str = ""
    created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def described(self) -> dict[str, Any]:
        """Return the ``WorkGroup`` structure of the API."""
        results = {"OutputLocation": self.output} if self.output else {}
        configuration = {
            "ResultConfiguration": results,
            "EnforceWorkGroupConfiguration": self.enforced,
            "PublishCloudWatchMetricsEnabled": False,
            "RequesterPaysEnabled": False,
            "EngineVersion": _ENGINE,
        }
        return {**self.summary(), "Configuration": configuration}

    def summary(self) -> dict[str, Any]:
        """Return the ``WorkGroupSummary`` structure of the API."""
        return {
            "Name": self.name,
            "State": "ENABLED",
            "Description": self.description,
            "CreationTime": self.created_at.timestamp(),
            "EngineVersion": _ENGINE,
        }

    def output_for(self, wanted: str | None) -> str:
        """Return the folder of a query's results, ending in a slash.

        Raises
        ------
        InvalidAthenaRequestError
            Neither the workgroup nor the request names one, or it is no location in S3.
        """
        chosen = self.output if self.enforced and self.output else wanted or self.output
        if not chosen:
            raise InvalidAthenaRequestError(
                message="No output location provided. An output location is required either through the Workgroup "
                "result configuration setting or as an API input."
            )
        if not chosen.startswith("s3://"):
            raise InvalidAthenaRequestError(message=f"outputLocation is not a valid S3 path: {chosen}")
        return chosen.rstrip("/") + "/"


class WorkGroups:
    """The workgroups of the endpoint; ``primary`` is always there."""

    def __init__(self, *groups: WorkGroup) -> None:
        self._groups: Mapping[str, WorkGroup] = {group.name: group for group in (WorkGroup(name="primary"), *groups)}

    def get(self, name: str) -> WorkGroup:
        """Return a workgroup.

        Raises
        ------
        InvalidAthenaRequestError
            There is none with this name.
        """
        group = self._groups.get(name)
        if group is None:
            raise InvalidAthenaRequestError(message=f"WorkGroup {name} is not found.")
        return group

    def all(self) -> list[WorkGroup]:
        """Return every workgroup, by name."""
        return sorted(self._groups.values(), key=lambda group: group.name)
