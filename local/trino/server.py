"""One Trino on this machine: a coordinator that is its only worker, with the ground's Glue catalog as its only catalog.

1. Its settings are written into a folder of its own, with addresses and credentials from the variables by which every
   AWS client finds the ground.
2. It is started on a tether, so it ends when whoever started it ends.
3. It is ready when a query that needs a worker succeeds: the coordinator answers earlier than it finds itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

import certifi

from local.engines import TrinoInstall, tether
from local.engines.trust import trust_options, write_trust_store
from local.ground.ports import free_ports
from local.trino.client import CATALOG, TrinoClient
from local.trino.errors import TrinoError, TrinoStartError, TrinoUnreachableError

_START_SECONDS: Final = 240.0
_POLL_SECONDS: Final = 0.1
_TAIL_BYTES: Final = 4000
_NEEDS_A_WORKER: Final = "SELECT count(*) FROM TABLE(sequence(1, 2))"

_JVM: Final = (
    "-Xmx1G",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # statements here are short: compiling them well would cost more than it gives
    "-XX:+ExitOnOutOfMemoryError",
    "-Duser.timezone=UTC",
    "-Dfile.encoding=UTF-8",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
)


class TrinoServer:
    """A Trino of one's own; usable as a context manager.

    Parameters
    ----------
    install
        Where Trino and its Java are.
    folder
        Folder of its settings and its log, made when needed.
    environment
        Variables that lead AWS clients to the ground.
    """

    def __init__(self, install: TrinoInstall, folder: Path, environment: Mapping[str, str]) -> None:
        self._install = install
        self._folder = folder
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        (self.port,) = free_ports(1)
        self.log = folder / "trino.log"

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def version(self) -> str:
        """Its version."""
        return self._install.home.name.removeprefix("trino-")

    def start(self) -> None:
        """Start it and wait until it runs queries.

        Raises
        ------
        TrinoStartError
            It ended, or took too long; nothing is left running.
        """
        self._write_settings()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(tether.__file__)), *self._command()],
                cwd=self._folder,
                env={name: value for name, value in self._environment.items() if not name.startswith("JAVA_TOOL")},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it; do nothing if it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()  # lets go of the tether
        try:
            process.wait(tether.GRACE_SECONDS + 5)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def __enter__(self) -> TrinoServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _write_settings(self) -> None:
        catalogs = self._folder / "catalog"
        catalogs.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)  # the catalog's file holds the ground's credentials
        bundle = Path(self._environment.get("AWS_CA_BUNDLE") or certifi.where())
        write_trust_store(self._folder / "trust.p12", [bundle])
        _write(self._folder / "config.properties", self._settings())
        _write(self._folder / "log.properties", {"io.trino": "WARN", "io.airlift": "WARN", "org.apache": "WARN"})
        _write(catalogs / f"{CATALOG}.properties", catalog_settings(self._environment))

    def _settings(self) -> dict[str, str]:
        return {
            "node.environment": "laptop",
            "node.id": "laptop",
            "node.bind-ip": "127.0.0.1",
            "node.internal-address": "127.0.0.1",
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": str(self.port),
            "http-server.log.enabled": "false",
            "discovery.uri": self.address,
            "plugin.dir": str(self._install.home / "plugin"),
            "catalog.config-dir": str(self._folder / "catalog"),
        }

    def _command(self) -> list[str]:
        return [
            str(self._install.java / "bin" / "java"),
            *_JVM,
            *trust_options(self._folder / "trust.p12"),
            f"-Dconfig={self._folder / 'config.properties'}",
            f"-Dlog.levels-file={self._folder / 'log.properties'}",
            "-cp",
            str(self._install.home / "lib" / "*"),
            "io.trino.server.TrinoServer",
        ]

    def _wait(self) -> None:
        client, deadline = TrinoClient(self.address), time.monotonic() + _START_SECONDS
        while not self._runs_queries(client):
            if self._process is None or self._process.poll() is not None:
                raise self._failed("it ended by itself")
            if time.monotonic() > deadline:
                raise self._failed(f"it ran no query within {_START_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)

    def _runs_queries(self, client: TrinoClient) -> bool:
        try:
            client.run(_NEEDS_A_WORKER)
        except (TrinoError, TrinoUnreachableError):
            return False
        return True

    def _failed(self, reason: str) -> TrinoStartError:
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            tail = log.read().decode(errors="replace")
        return TrinoStartError(reason=reason, log=self.log, tail=tail or "(empty)")


def catalog_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of the catalog: Iceberg tables in Glue and S3, found as AWS clients find them."""
    region = environment.get("AWS_REGION") or environment["AWS_DEFAULT_REGION"]
    settings = {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "glue",
        # How long snapshots and files are kept is said by each statement of maintenance.
        "iceberg.expire-snapshots.min-retention": "0s",
        "iceberg.remove-orphan-files.min-retention": "0s",
        "hive.metastore.glue.region": region,
        "fs.native-s3.enabled": "true",
        "s3.region": region,
        "s3.path-style-access": "true",
    }
    for service, name in (("GLUE", "hive.metastore.glue.endpoint-url"), ("S3", "s3.endpoint")):
        endpoint = environment.get(f"AWS_ENDPOINT_URL_{service}") or environment.get("AWS_ENDPOINT_URL")
        if endpoint:
            settings[name] = endpoint
    for variable, word in (("AWS_ACCESS_KEY_ID", "aws-access-key"), ("AWS_SECRET_ACCESS_KEY", "aws-secret-key")):
        if environment.get(variable):
            settings[f"hive.metastore.glue.{word}"] = settings[f"s3.{word}"] = environment[variable]
    return settings


def _write(path: Path, settings: Mapping[str, str]) -> None:
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), encoding="utf-8")
