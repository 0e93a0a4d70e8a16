"""The client of the HTTP API signs as AWS does, trusts what it is told to trust, and tells problems apart."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vintner.aws.http import (
    ApiProblemError,
    ApiResponse,
    ApiUnreachableError,
    CredentialsMissingError,
    SignedSession,
    signed_request,
)

SECRET = "test-secret-of-nobody"  # pragma: allowlist secret
REGION = "eu-west-1"


class Api(BaseHTTPRequestHandler):
    """Remembers the request and answers as told by its path."""

    seen: list[dict[str, Any]]

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append({"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body})
        status, media, text = ANSWERS[urlsplit(self.path).path]
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer  # noqa: N815 - the names the base class calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the base class gives it
        """Keep the test's output clean."""


PROBLEM = {"type": "urn:x", "title": "No", "status": 400, "detail": "known_at is missing", "parameter": "known_at"}
ANSWERS: dict[str, tuple[int, str, bytes]] = {
    "/v1/health": (200, "application/json", b'{"status":"ok","third":0.30000000000000004}'),
    "/empty": (204, "application/json", b""),
    "/problem": (400, "application/problem+json", json.dumps(PROBLEM).encode()),
    "/forbidden": (403, "application/json", b'{"message":"Forbidden"}'),
    "/page": (200, "text/html", b"<html>a proxy's page</html>"),
    "/gateway": (503, "text/html", b"<html>busy</html>"),
}


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve the API on a free port of this machine, and yield its address and what it saw."""
    seen: list[dict[str, Any]] = []
    server = HTTPServer(("127.0.0.1", 0), type("BoundApi", (Api,), {"seen": seen}))
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., ApiResponse]:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    given = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": "token-of-nobody",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    def call(method: str, url: str, **given: Any) -> ApiResponse:
        session = SignedSession(region=REGION, connect_timeout=2, read_timeout=5)
        try:
            return session.request(method, url, **given)
        finally:
            session.close()

    return call


def expected_signature(request: dict[str, Any]) -> str:
    """Return the signature the request should bear, told step by step as the standard tells it."""
    headers = {name.lower(): value.strip() for name, value in request["headers"].items()}
    scope, signed = (
        headers["authorization"].split(part)[1].split(",")[0] for part in ("Credential=test/", "SignedHeaders=")
    )
    parts = urlsplit(request["path"])
    query = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(parts.query))
    canonical = "\n".join(
        [
            request["method"],
            parts.path,
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{headers[name]}" for name in signed.split(";")),
            "",
            signed,
            hashlib.sha256(request["body"]).hexdigest(),
        ]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, digest])
    key = f"AWS4{SECRET}".encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("GET", {}),
        ("GET", {"params": {"entity": "SP500/A B", "known_at": "2009-01-01T00:00:00+00:00"}}),
        ("POST", {"json": {"rows": [{"entity": "Ærø", "time": "2024-01-01T00:00:00Z"}]}}),
    ],
)
def test_requests_are_signed_as_the_standard_says(caller: Any, method: str, given: dict[str, Any]) -> None:
    with serving() as (url, seen):
        response = caller(method, f"{url}/v1/health", **given)
    assert (response.status, response.json) == (200, {"status": "ok", "third": 0.1 + 0.2})
    assert response.headers["content-type"] == "application/json"
    request = seen[0]
    authorization = request["headers"]["Authorization"]
    assert f"/{REGION}/execute-api/aws4_request" in authorization
    assert authorization.endswith(f"Signature={expected_signature(request)}")
    assert dict(parse_qsl(urlsplit(request["path"]).query)) == given.get("params", {})
    assert (json.loads(request["body"]) if request["body"] else None) == given.get("json")


def test_a_problem_document_is_carried_by_the_error(caller: Any) -> None:
    with serving() as (url, _), pytest.raises(ApiProblemError, match="known_at is missing") as caught:
        caller("GET", f"{url}/problem")
    assert (caught.value.status, caught.value.document) == (400, PROBLEM)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [("/forbidden", 403, "Forbidden"), ("/page", 502, "not JSON"), ("/gateway", 503, "not JSON")],
)
def test_answers_that_are_no_problem_documents_are_problems_too(
    caller: Any, path: str, status: int, words: str
) -> None:
    with serving() as (url, _), pytest.raises(ApiProblemError, match=words) as caught:
        caller("GET", f"{url}{path}")
    assert caught.value.status == status
    assert isinstance(caught.value.document, dict)


def test_an_empty_answer_has_no_document(caller: Any) -> None:
    with serving() as (url, _):
        response = caller("GET", f"{url}/empty")
    assert (response.status, response.json) == (204, None)


def test_nobody_there_is_told_apart(caller: Any) -> None:
    with serving() as (url, _):
        pass
    with pytest.raises(ApiUnreachableError, match="no answer"):
        caller("GET", f"{url}/v1/health")


def test_nobody_to_sign_as_is_told_apart(caller: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CredentialsMissingError):
        caller("GET", "http://127.0.0.1:1/v1/health")


def test_the_bundle_of_the_environment_is_trusted_and_nothing_else(
    caller: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serving(self_signed(tmp_path)) as (url, _):
        with pytest.raises(ApiUnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
            caller("GET", f"{url}/v1/health")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "certificate.pem"))
        assert signed_request("GET", f"{url}/v1/health", region=REGION).status == 200


def self_signed(folder: Path) -> ssl.SSLContext:
    """Write a certificate of 127.0.0.1 into ``folder`` and return a context that serves it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vintner test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context
