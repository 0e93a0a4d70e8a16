"""Calling the HTTP API: signed with the caller's credentials (Signature Version 4), answered as JSON.

Everything needed is part of botocore, so a caller of the API installs nothing more: its credentials chain, its
signer and its HTTP session, which pools connections, honours the proxy variables and, like every AWS client, trusts
the bundle named by ``AWS_CA_BUNDLE``.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.exceptions import ConnectionError as ConnectingError
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from vintner.errors import VintnerError

CONNECT_TIMEOUT_SECONDS: Final = 5.0
READ_TIMEOUT_SECONDS: Final = 35.0
"""Longer than an HTTP API may take to answer (30 s), so that the service's own time-out is the one that is seen."""

SERVICE: Final = "execute-api"


class ApiProblemError(VintnerError):
    """The API answered with a problem.

    ``document`` is the problem document (RFC 9457); for an answer that is none, such as the gateway's own refusal
    of a bad signature, one is made of what was received.
    """

    template = "{method} {url} answered {status}: {detail}"


class ApiUnreachableError(VintnerError):
    """No answer was received; whether the request was, is not known."""

    template = "{method} {url} got no answer ({cause}); check the address and the network, then try again"


class CredentialsMissingError(VintnerError):
    """There is nobody to sign as."""

    template = "no AWS credentials were found to sign {method} {url}; set AWS_PROFILE or sign in"


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiResponse:
    """An answer: ``json`` is the parsed body, or None if the body is empty."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    json: Any


Query = Mapping[str, str | Sequence[str]]
"""Parameters of a query by name."""


class SignedSession:
    """Signed requests over pooled connections.

    Parameters
    ----------
    region
        Region to sign for; by default the one the environment or the profile names.
    session
        A botocore session whose credentials and settings to use, instead of a new one.
    connect_timeout, read_timeout
        Seconds to wait for a connection, and for each part of an answer.

    Examples
    --------
    >>> api = SignedSession(region="eu-west-1")
    >>> api.request("GET", f"{url}/v1/health").json  # doctest: +SKIP
    {'status': 'ok'}
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        session: botocore.session.Session | None = None,
        connect_timeout: float = CONNECT_TIMEOUT_SECONDS,
        read_timeout: float = READ_TIMEOUT_SECONDS,
    ) -> None:
        self._session = session if session is not None else botocore.session.get_session()
        self._region = region or self._session.get_config_variable("region")
        self._timeout = (connect_timeout, read_timeout)
        self._transports: dict[tuple[tuple[str, str], ...], URLLib3Session] = {}

    def request(self, method: str, url: str, *, params: Query | None = None, json: Any = None) -> ApiResponse:
        """Send one signed request and return its answer.

        Parameters
        ----------
        method, url
            What to call; the address without a query.
        params
            The query; values are encoded here. A parameter with several values is repeated.
        json
            The body, or None for no body.

        Raises
        ------
        ApiProblemError
            If the status is 400 or above.
        ApiUnreachableError
            If there was no answer in time.
        CredentialsMissingError
            If no credentials were found.
        """
        prepared = self._signed(method, url, params, json)
        try:
            answer = self._transport(url).send(prepared)
        except (ConnectingError, HTTPClientError) as cause:
            raise ApiUnreachableError(method=method, url=url, cause=cause) from cause
        return _judged(method, url, answer)

    def close(self) -> None:
        """Close the pooled connections."""
        for transport in self._transports.values():
            transport.close()
        self._transports.clear()

    def _signed(self, method: str, url: str, params: Query | None, json: Any) -> AWSPreparedRequest:
        credentials = self._session.get_credentials()
        if credentials is None:
            raise CredentialsMissingError(method=method, url=url)
        body = None if json is None else jsonlib.dumps(json, allow_nan=False).encode()
        headers = {"Accept": "application/json"} | ({} if body is None else {"Content-Type": "application/json"})
        request = AWSRequest(method=method, url=url, headers=headers, data=body, params=_pairs(params or {}))
        SigV4Auth(credentials.get_frozen_credentials(), SERVICE, self._region).add_auth(request)
        return request.prepare()

    def _transport(self, url: str) -> URLLib3Session:
        proxies: dict[str, str] = get_environ_proxies(url)
        key = tuple(sorted(proxies.items()))
        if key not in self._transports:
            bundle = self._session.get_config_variable("ca_bundle")
            self._transports[key] = URLLib3Session(verify=bundle or True, proxies=proxies, timeout=self._timeout)
        return self._transports[key]


def _pairs(params: Query) -> list[tuple[str, str]]:
    each = ((name, [value] if isinstance(value, str) else value) for name, value in params.items())
    return [(name, value) for name, values in each for value in values]


def signed_request(
    method: str, url: str, *, params: Query | None = None, json: Any = None, region: str | None = None
) -> ApiResponse:
    """Send one signed request with a session of its own; see :meth:`SignedSession.request`.

    Examples
    --------
    >>> signed_request("GET", f"{url}/v1/health", region="eu-west-1").status  # doctest: +SKIP
    200
    """
    session = SignedSession(region=region)
    try:
        return session.request(method, url, params=params, json=json)
    finally:
        session.close()


def _judged(method: str, url: str, answer: AWSResponse) -> ApiResponse:
    status: int = answer.status_code
    headers = {name.lower(): value for name, value in answer.headers.items()}
    try:
        body = jsonlib.loads(answer.content) if answer.content else None
    except ValueError:
        body, status = _not_json(answer), max(status, 502)
    if status >= 400:
        document = body if isinstance(body, dict) else {"detail": body}
        detail = document.get("detail") or document.get("message") or document.get("Message") or "no reason was given"
        raise ApiProblemError(method=method, url=url, status=status, detail=detail, document=document)
    return ApiResponse(status=status, headers=headers, json=body)


def _not_json(answer: AWSResponse) -> dict[str, str]:
    start = answer.content[:200].decode("utf-8", "replace")
    return {"title": "The answer is not JSON", "detail": f"status {answer.status_code}, not JSON: {start!r}"}
