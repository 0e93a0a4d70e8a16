"""The ground: MiniStack and the Athena endpoint, started, found again, stopped.

1. `start` checks the ports, makes the certificate, cleans what an earlier crash left, and starts both processes.
2. It waits until both answer; if one does not, both are ended and the error shows the end of the log.
3. `stop` asks them to end. MiniStack writes its state on the way out, so it is waited for.
4. `kill` ends everything as a power cut would. Objects are on disk by then; the rest comes back as it was at the last
   graceful stop or `checkpoint`, which every deployment ends with.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import ssl
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

import boto3
import botocore.session
from botocore.config import Config

from local.errors import (
    CheckpointError,
    GroundNotRunningError,
    GroundRunningElsewhereError,
    GroundStartError,
    PortTakenError,
)
from local.ground.certificate import ServerCertificate, ensure_certificate
from local.ground.config import PROJECT, REGION, TRINO, GroundConfig
from local.ground.environment import ROOT_CREDENTIALS, client_settings, ministack_settings, scrubbed, strays
from local.ground.ports import is_free
from local.ground.process import ChildProcess, kill_strays

_START_SECONDS: Final = 60.0
_TRINO_SECONDS: Final = 300.0  # a virtual machine, on a machine that may be busy
_STOP_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05


class Ground:
    """A running or stopped ground; every object made from the same configuration sees the same one.

    Usable as a context manager: the ground is started on entry and stopped on exit, whatever happens between.

    Parameters
    ----------
    config
        Its state folder and ports.

    Examples
    --------
    >>> ground = Ground(GroundConfig.load())  # doctest: +SKIP
    >>> ground.start()  # doctest: +SKIP
    >>> boto3.client("s3", endpoint_url=ground.endpoint)  # doctest: +SKIP
    """

    def __init__(self, config: GroundConfig) -> None:
        self.config = config
        run, logs = config.state_dir / "run", config.state_dir / "logs"
        self.ministack = ChildProcess("MiniStack", run_dir=run, log=logs / "ministack.log")
        self._answer = run / "checkpoint"
        self.athena = ChildProcess("Athena", run_dir=run, log=logs / "athena.log")

    @property
    def endpoint(self) -> str:
        """Address of the AWS services."""
        return self.config.endpoint

    @property
    def athena_endpoint(self) -> str:
        """Address of the Athena endpoint."""
        return self.config.athena_endpoint

    @property
    def is_running(self) -> bool:
        """Whether MiniStack runs, whoever started it."""
        return self.ministack.is_alive

    def start(self) -> None:
        """Start what is not running yet and wait until it answers.

        Raises
        ------
        PortTakenError
            Another program listens on one of the ports.
        GroundRunningElsewhereError
            This state is already served, on other ports.
        GroundStartError
            A process ended or stayed silent. Nothing is left running.
        """
        started = [] if self._runs_here() else [self.ministack]
        if self.athena.is_alive and GroundConfig.load(self.config.state_dir).sql != self.config.sql:
            self.athena.stop(seconds=_STOP_SECONDS)
        if not self.athena.is_alive:
            started.append(self.athena)
        self._require_free_ports(started)
        certificate = self._prepare(clean=self.ministack in started)
        try:
            if self.ministack in started:
                self._start_ministack(certificate)
            if self.athena in started:
                self._start_athena(certificate)
            self._wait(started)
        except BaseException:
            for process in started:
                process.kill()
            raise

    def stop(self) -> None:
        """End the ground and wait until its state is written; do nothing if it does not run.

        Raises
        ------
        GroundStopError
            It did not end in time and was killed: its newest state may be missing.
        """
        try:
            self.athena.stop(seconds=_STOP_SECONDS)
        finally:
            self.ministack.stop(seconds=_STOP_SECONDS)
            self._sweep()

    def kill(self) -> None:
        """End the ground with all its workers at once, as a power cut would; nothing is written."""
        self.ministack.kill()
        self.athena.kill()
        self._sweep()

    def checkpoint(self) -> None:
        """Write the state now, so that a later ``kill -9`` loses only what came after. Nothing should be streaming.

        Raises
        ------
        GroundNotRunningError
            The ground is down.
        CheckpointError
            The state was not written.
        """
        pid = self.ministack.pid
        if pid is None:
            raise GroundNotRunningError(state_dir=self.config.state_dir)
        self._answer.unlink(missing_ok=True)
        os.kill(pid, signal.SIGUSR1)
        deadline = time.monotonic() + _STOP_SECONDS
        while not self._answer.exists():
            if not self.is_running or time.monotonic() > deadline:
                raise CheckpointError(reason="no answer", log=self.ministack.log)
            time.sleep(_POLL_SECONDS)
        said = self._answer.read_text(encoding="utf-8")
        if said != "ok":
            raise CheckpointError(reason=said, log=self.ministack.log)

    def client_env(self) -> dict[str, str]:
        """Return the variables to add to an environment so that AWS clients reach this ground as its root user.

        What would contradict them has to be taken away as well: see :meth:`environment`.
        """
        return client_settings(self.config, self._certificate())

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return a whole environment for a client process: ``base`` (else ours), without strays, with ours added."""
        return {**scrubbed(base), **self.client_env()}

    def session(self) -> boto3.Session:
        """Return a session of the ground's root user, blind to the caller's own AWS settings.

        Its clients need :meth:`client_options`; :meth:`client` puts both together.
        """
        nowhere = {
            name: (None, None, default, None)
            for name, default in (("profile", None), ("config_file", os.devnull), ("credentials_file", os.devnull))
        }
        return boto3.Session(
            botocore_session=botocore.session.Session(session_vars=nowhere),
            aws_access_key_id=ROOT_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=ROOT_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )

    def client_options(self) -> dict[str, Any]:
        """Return what a client of :meth:`session` has to be made with."""
        bundle = self.config.state_dir / "tls" / "ca-bundle.pem"
        return {"endpoint_url": self.endpoint, "verify": str(bundle), "config": Config(proxies={})}

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service of this ground; Athena's is the ground's own endpoint.

        Examples
        --------
        >>> ground.client("kinesis").list_streams()["StreamNames"]  # doctest: +SKIP
        """
        options = self.client_options()
        if service == "athena":
            options["endpoint_url"] = self.athena_endpoint
        return self.session().client(service, **options)

    def strays(self, environment: Mapping[str, str]) -> list[str]:
        """Return the variables of ``environment`` that a client of this ground has to unset."""
        return strays(environment, self.client_env())

    def require_running(self) -> None:
        """Raise :class:`GroundNotRunningError` unless the ground runs."""
        if not self.is_running:
            raise GroundNotRunningError(state_dir=self.config.state_dir)

    def __enter__(self) -> Ground:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _runs_here(self) -> bool:
        if not self.is_running:
            return False
        there = GroundConfig.load(self.config.state_dir)
        if (there.port, there.athena_port) != (self.config.port, self.config.athena_port):
            raise GroundRunningElsewhereError(state_dir=there.state_dir, port=there.port, athena_port=there.athena_port)
        return True

    def _require_free_ports(self, started: list[ChildProcess]) -> None:
        ports = {self.ministack: (self.config.port, "AWS services"), self.athena: (self.config.athena_port, "Athena")}
        for process in started:
            port, purpose = ports[process]
            if not is_free(port):
                raise PortTakenError(port=port, purpose=purpose, remedy="make up PORT=14566 ATHENA_PORT=14567")

    def _prepare(self, *, clean: bool) -> ServerCertificate:
        for folder in (".", "run", "logs", "tls", "tmp", "state", "objects"):
            path = self.config.state_dir / folder
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o700)  # whatever the user's umask says: the ground has to get in, nobody else needs to
        if clean:
            self._sweep()
        self.config.save()
        return self._certificate()

    def _certificate(self) -> ServerCertificate:
        folder = self.config.state_dir / "tls"
        folder.mkdir(parents=True, exist_ok=True)
        return ensure_certificate(folder)

    def _start_ministack(self, certificate: ServerCertificate) -> None:
        environment = {
            **scrubbed(),
            **client_settings(self.config, certificate),
            **ministack_settings(self.config, certificate),
        }
        # -P: the script's own folder is not searched, so no module of ours can hide one that MiniStack imports.
        script = PROJECT / "local" / "ground" / "serve.py"
        command = [sys.executable, "-P", str(script), str(self._answer)]
        self.ministack.start(command, environment=environment, folder=self.config.work_dir)

    def _start_athena(self, certificate: ServerCertificate) -> None:
        environment = {**scrubbed(), **client_settings(self.config, certificate), "TMPDIR": str(self.config.work_dir)}
        command = [sys.executable, "-m", "local.athena", "--port", str(self.config.athena_port)]
        if self.config.sql == TRINO:
            command += ["--trino", str(self.config.state_dir / "trino")]
        self.athena.start(command, environment=environment, folder=PROJECT)

    def _wait(self, started: list[ChildProcess]) -> None:
        seconds = _TRINO_SECONDS if self.config.sql == TRINO else _START_SECONDS
        deadline = time.monotonic() + seconds
        checks = {self.ministack: self._ministack_answers, self.athena: self._athena_answers}
        for process in started:
            while not checks[process]():
                self._require_hope(process, deadline, seconds)
                time.sleep(_POLL_SECONDS)

    def _require_hope(self, process: ChildProcess, deadline: float, seconds: float) -> None:
        reason = ""
        if not process.is_alive:
            reason = "it ended by itself"
        elif time.monotonic() > deadline:
            reason = f"it did not answer within {seconds:.0f} s"
        if reason:
            raise GroundStartError(process=process.name, reason=reason, log=process.log, tail=process.tail())

    def _ministack_answers(self) -> bool:
        # Only our own certificate is trusted here, so another server on this port is never mistaken for ours.
        context = ssl.create_default_context(cafile=self.config.state_dir / "tls" / "server.pem")
        connection = http.client.HTTPSConnection("localhost", self.config.port, timeout=5, context=context)
        try:
            connection.request("GET", "/_ministack/ready")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _athena_answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.config.athena_port), timeout=5).close()
        except OSError:
            return False
        return True

    def _sweep(self) -> None:
        """End workers that outlived their ground, and remove the temporary files of the one that ended."""
        kill_strays(self.config.work_dir)
        for entry in self.config.work_dir.glob("*"):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
