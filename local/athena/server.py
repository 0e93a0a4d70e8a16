"""The HTTP side: Athena's JSON 1.1 protocol on 127.0.0.1."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import ssl
import threading
import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from local.athena.errors import AthenaRequestError, InvalidAthenaRequestError, UnknownAthenaOperationError
from local.athena.operations import Operation

_LOG: Final = logging.getLogger(__name__)
_TARGET: Final = "AmazonAthena."
_MOST_BYTES: Final = 4 * 1024 * 1024
_SILENCE_SECONDS: Final = 60


class AthenaServer(ThreadingHTTPServer):
    """Serves Athena's operations.

    Parameters
    ----------
    operations
        What can be asked, by name.
    host, port
        Where to listen; port 0 takes a free one (see :attr:`endpoint`).
    certificate
        Files of a certificate and its key, for HTTPS; None for HTTP.
    """

    daemon_threads = False  # closing waits for the answers under way

    def __init__(
        self,
        operations: Mapping[str, Operation],
        host: str = "127.0.0.1",
        port: int = 0,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.operations = operations
        self._connections: set[Any] = set()
        self._connections_lock = threading.Lock()
        super().__init__((host, port), _Handler)
        self.scheme = "http"
        if certificate is not None:
            self.scheme = "https"
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*certificate)
            # The handshake is left to the thread of the connection, so a silent client holds up nobody.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def endpoint(self) -> str:
        """Address for ``AWS_ENDPOINT_URL_ATHENA``."""
        return f"{self.scheme}://localhost:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, and answer it in a thread of its own."""
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that has ended."""
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - as in the standard library
        """Log a connection that broke, a refused handshake for instance; the others go on."""
        _LOG.info("a connection from %s broke", client_address, exc_info=True)

    def server_close(self) -> None:
        """End the connections that clients keep open, wait for their threads, and free the port."""
        with self._connections_lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):  # the client was quicker
                    connection.shutdown(socket.SHUT_RD)
        super().server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _SILENCE_SECONDS
    wbufsize = -1  # one packet an answer: headers and body apart would wait for each other's acknowledgement
    disable_nagle_algorithm = True
    server: AthenaServer

    def do_POST(self) -> None:
        """Answer one operation."""
        try:
            status, answer = 200, self._answer()
        except AthenaRequestError as error:
            status, answer = 400, {"__type": error.kind, "Message": str(error), "AthenaErrorCode": error.code}
        except Exception:  # noqa: BLE001 - the client gets an answer whatever happened
            _LOG.exception("an operation failed inside the endpoint")
            message = "The endpoint failed; its log says why"
            status, answer = 500, {"__type": "InternalServerException", "Message": message}
        self._send(status, answer)

    def do_GET(self) -> None:
        """Say that the endpoint is there, for whoever waits for it."""
        self._send(200, {"service": "athena", "operations": sorted(self.server.operations)})

    def _answer(self) -> dict[str, Any]:
        body = self._body()
        name = (self.headers.get("X-Amz-Target") or "").removeprefix(_TARGET)
        operation = self.server.operations.get(name)
        if operation is None:
            known = ", ".join(sorted(self.server.operations))
            raise UnknownAthenaOperationError(operation=name or "(no X-Amz-Target header)", known=known)
        try:
            request = json.loads(body or b"{}")
        except ValueError as error:
            raise InvalidAthenaRequestError(message="The request's body is not JSON") from error
        if not isinstance(request, dict):
            raise InvalidAthenaRequestError(message="The request's body is not a JSON object")
        return operation(request)

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _MOST_BYTES:
            self.close_connection = True
            raise InvalidAthenaRequestError(message=f"The request is larger than {_MOST_BYTES} bytes")
        return self.rfile.read(length)

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        if status != 200:
            self.send_header("x-amzn-ErrorType", answer["__type"])
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the standard library
        """Log through logging instead of standard error."""
        _LOG.debug(format, *args)
