"""Athena's operations: from a request's JSON to an answer's, one small class per subject."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from local.athena.errors import AthenaRequestError, InvalidAthenaRequestError
from local.athena.executions import Executions, new_id
from local.athena.runner import Task, printable_parameters
from local.athena.saved import NamedQueries, PreparedStatements, SavedQuery
from local.athena.types import column_info
from local.athena.workgroups import WorkGroups

Request = Mapping[str, Any]
Answer = dict[str, Any]
Operation = Callable[[Request], Answer]
T = TypeVar("T")

_MOST_RESULTS: Final = 1000
_MOST_LISTED: Final = 50


def required(request: Request, name: str) -> Any:
    """Return a parameter that must be there.

    Raises
    ------
    InvalidAthenaRequestError
        It is not.
    """
    value = request.get(name)
    if value is None or value == "":
        raise InvalidAthenaRequestError(message=f"{name} is missing or empty")
    return value


def page(items: Sequence[T], request: Request, most: int) -> tuple[Sequence[T], dict[str, str]]:
    """Return the part of ``items`` a request asks for, and its ``NextToken`` if something is left.

    Raises
    ------
    InvalidAthenaRequestError
        ``MaxResults`` or ``NextToken`` is no good.
    """
    size = request.get("MaxResults") or most
    if not 0 < size <= most:
        raise InvalidAthenaRequestError(message=f"MaxResults is more than maximum allowed length {most}.")
    try:
        start = int(base64.urlsafe_b64decode(request.get("NextToken") or b"MA=="))
    except (ValueError, binascii.Error) as error:
        raise InvalidAthenaRequestError(message="NextToken is not one of this endpoint's") from error
    end = start + size
    token = {"NextToken": base64.urlsafe_b64encode(str(end).encode()).decode()} if end < len(items) else {}
    return items[start:end], token


def batch(request: Request, name: str, get: Callable[[str], Answer]) -> tuple[list[Answer], list[Answer]]:
    """Return what was found for each id of a list, and descriptions of those that were not."""
    found, missing = [], []
    for each in required(request, name):
        try:
            found.append(get(each))
        except AthenaRequestError as error:
            missing.append({"id": each, "ErrorCode": "INVALID_INPUT", "ErrorMessage": str(error)})
    return found, missing


class QueryOperations:
    """Start, watch, stop and read queries."""

    def __init__(self, executions: Executions, workgroups: WorkGroups) -> None:
        self._executions = executions
        self._workgroups = workgroups

    @property
    def operations(self) -> Mapping[str, Operation]:
        """The operations by name."""
        return {
            "StartQueryExecution": self._start,
            "GetQueryExecution": self._get,
            "BatchGetQueryExecution": self._batch_get,
            "ListQueryExecutions": self._list,
            "StopQueryExecution": self._stop,
            "GetQueryResults": self._results,
        }

    def _start(self, request: Request) -> Answer:
        group = self._workgroups.get(request.get("WorkGroup") or "primary")
        context = request.get("QueryExecutionContext") or {}
        wanted = (request.get("ResultConfiguration") or {}).get("OutputLocation")
        task = Task(
            id=new_id(),
            text=str(required(request, "QueryString")),
            database=str(context.get("Database") or "default").lower(),
            workgroup=group.name,
            parameters=printable_parameters(request.get("ExecutionParameters") or ()),
            output=group.output_for(wanted),
        )
        token = request.get("ClientRequestToken")
        compared = {name: value for name, value in request.items() if name != "ClientRequestToken"}
        return {"QueryExecutionId": self._executions.start(task, compared, token)}

    def _get(self, request: Request) -> Answer:
        return {"QueryExecution": self._described(required(request, "QueryExecutionId"))}

    def _described(self, execution_id: str) -> Answer:
        return self._executions.get(execution_id).described()

    def _batch_get(self, request: Request) -> Answer:
        found, missing = batch(request, "QueryExecutionIds", self._described)
        unprocessed = [{"QueryExecutionId": each.pop("id"), **each} for each in missing]
        return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": unprocessed}

    def _list(self, request: Request) -> Answer:
        group = self._workgroups.get(request.get("WorkGroup") or "primary")
        ids, token = page(self._executions.ids(group.name), request, _MOST_LISTED)
        return {"QueryExecutionIds": list(ids), **token}

    def _stop(self, request: Request) -> Answer:
        self._executions.stop(required(request, "QueryExecutionId"))
        return {}

    def _results(self, request: Request) -> Answer:
        results = self._executions.results(required(request, "QueryExecutionId"))
        rows, token = page(results.all_rows, request, _MOST_RESULTS)
        printed = [{"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]} for row in rows]
        metadata = {"ColumnInfo": [column_info(column) for column in results.columns]}
        return {"UpdateCount": results.updated, "ResultSet": {"Rows": printed, "ResultSetMetadata": metadata}, **token}


class SavedOperations:
    """Named queries and prepared statements."""

    def __init__(self, named: NamedQueries, prepared: PreparedStatements, workgroups: WorkGroups) -> None:
        self._named = named
        self._prepared = prepared
        self._workgroups = workgroups

    @property
    def operations(self) -> Mapping[str, Operation]:
        """The operations by name."""
        return {
            "CreateNamedQuery": self._create_named,
            "GetNamedQuery": lambda request: {"NamedQuery": self._named_query(required(request, "NamedQueryId"))},
            "BatchGetNamedQuery": self._batch_named,
            "ListNamedQueries": self._list_named,
            "DeleteNamedQuery": self._delete_named,
            "CreatePreparedStatement": self._create_prepared,
            "GetPreparedStatement": self._get_prepared,
            "ListPreparedStatements": self._list_prepared,
            "UpdatePreparedStatement": self._update_prepared,
            "DeletePreparedStatement": self._delete_prepared,
        }

    def _group(self, request: Request) -> str:
        return self._workgroups.get(request.get("WorkGroup") or "primary").name

    def _named_query(self, query_id: str) -> Answer:
        return self._named.get(query_id).described()

    def _create_named(self, request: Request) -> Answer:
        query = SavedQuery(
            id=str(uuid.uuid4()),
            name=required(request, "Name"),
            description=request.get("Description") or "",
            database=required(request, "Database"),
            workgroup=self._group(request),
            text=required(request, "QueryString"),
        )
        self._named.add(query)
        return {"NamedQueryId": query.id}

    def _batch_named(self, request: Request) -> Answer:
        found, missing = batch(request, "NamedQueryIds", self._named_query)
        unprocessed = [{"NamedQueryId": each.pop("id"), **each} for each in missing]
        return {"NamedQueries": found, "UnprocessedNamedQueryIds": unprocessed}

    def _list_named(self, request: Request) -> Answer:
        queries, token = page(self._named.of(self._group(request)), request, _MOST_LISTED)
        return {"NamedQueryIds": [query.id for query in queries], **token}

    def _delete_named(self, request: Request) -> Answer:
        self._named.remove(required(request, "NamedQueryId"))
        return {}

    def _create_prepared(self, request: Request) -> Answer:
        name, group = required(request, "StatementName"), self._group({"WorkGroup": required(request, "WorkGroup")})
        if self._prepared.has(name, group):
            raise InvalidAthenaRequestError(message=f"PreparedStatement {name} already exists in workGroup {group}")
        self._prepared.put(name, group, required(request, "QueryStatement"), request.get("Description") or "")
        return {}

    def _get_prepared(self, request: Request) -> Answer:
        found = self._prepared.get(required(request, "StatementName"), self._group(request))
        return {"PreparedStatement": found.described()}

    def _list_prepared(self, request: Request) -> Answer:
        found, token = page(self._prepared.of(self._group(request)), request, _MOST_LISTED)
        summaries = [{"StatementName": each.name, "LastModifiedTime": each.modified_at.timestamp()} for each in found]
        return {"PreparedStatements": summaries, **token}

    def _update_prepared(self, request: Request) -> Answer:
        name, text = required(request, "StatementName"), required(request, "QueryStatement")
        self._prepared.update(name, self._group(request), text, request.get("Description"))
        return {}

    def _delete_prepared(self, request: Request) -> Answer:
        self._prepared.remove(required(request, "StatementName"), self._group(request))
        return {}


class WorkGroupOperations:
    """Workgroups, read only: the endpoint is started with them."""

    def __init__(self, workgroups: WorkGroups) -> None:
        self._workgroups = workgroups

    @property
    def operations(self) -> Mapping[str, Operation]:
        """The operations by name."""
        return {"GetWorkGroup": self._get, "ListWorkGroups": self._list}

    def _get(self, request: Request) -> Answer:
        return {"WorkGroup": self._workgroups.get(required(request, "WorkGroup")).described()}

    def _list(self, request: Request) -> Answer:
        groups, token = page(self._workgroups.all(), request, _MOST_LISTED)
        return {"WorkGroups": [group.summary() for group in groups], **token}
