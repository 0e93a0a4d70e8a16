"""What a ground is told, what it trusts, and what it keeps away."""

from __future__ import annotations

import os
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_connection, create_server

import pytest

from local.errors import (
    GroundNotRunningError,
    GroundRunningElsewhereError,
    InvalidGroundConfigError,
    NotDeployedError,
    PortTakenError,
)
from local.ground import Ground, GroundConfig, deploy
from local.ground.certificate import ServerCertificate, ensure_certificate
from local.ground.deployment import Deployment, find_api
from local.ground.environment import client_settings, ministack_settings, scrubbed, strays
from local.ground.ports import free_ports
from vintner.messaging.errors import UnknownStreamError

NOW = datetime(2026, 1, 5, tzinfo=UTC)
PATHS = ServerCertificate(Path("/g/server.pem"), Path("/g/server.key"), Path("/g/bundle.pem"))


@pytest.mark.parametrize(("port", "athena"), [(0, 4567), (4566, 70000), (4566, 4566)])
def test_unusable_ports_are_refused(port: int, athena: int) -> None:
    with pytest.raises(InvalidGroundConfigError):
        GroundConfig(Path("g"), port, athena)


def test_the_ports_of_the_last_start_are_remembered(tmp_path: Path) -> None:
    config = GroundConfig(tmp_path, 4600, 4601)
    assert GroundConfig.load(tmp_path) == GroundConfig(tmp_path)
    config.save()
    assert GroundConfig.load(tmp_path) == config
    (tmp_path / "ground.json").write_text("{")
    assert GroundConfig.load(tmp_path) == GroundConfig(tmp_path)


def test_nothing_of_the_user_reaches_the_ground(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "PYTHONDONTWRITEBYTECODE", "SERVICES"):
        monkeypatch.setenv(name, "stray")
    monkeypatch.setenv("AWS_CONFIG_FILE", "theirs")
    config = GroundConfig(Path("/g"), 4600, 4601)
    settings = client_settings(config, PATHS) | ministack_settings(config, PATHS)
    everything = {**scrubbed(), **settings}
    assert "stray" not in everything.values()
    assert everything["AWS_CONFIG_FILE"] == os.devnull
    assert everything["PATH"] == os.environ["PATH"]
    assert "AWS_PROFILE" in strays(os.environ, settings)
    assert "AWS_CONFIG_FILE" not in strays(os.environ, settings)


def test_a_proxy_is_kept_away_from_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "intra.example,localhost")
    settings = client_settings(GroundConfig(Path("/g")), PATHS)
    assert settings["NO_PROXY"] == settings["no_proxy"] == "localhost,127.0.0.1,intra.example"


def test_a_strict_client_trusts_the_certificate(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context(cafile=files.bundle)
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    with create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            accepted, _ = listening.accept()
            with server.wrap_socket(accepted, server_side=True) as secured:
                secured.sendall(b"hello")

        thread = threading.Thread(target=serve)
        thread.start()
        plain = create_connection(listening.getsockname())
        with client.wrap_socket(plain, server_hostname="localhost") as secured:
            assert secured.recv(5) == b"hello"
        thread.join()


def test_the_certificate_is_kept_until_it_runs_out(tmp_path: Path) -> None:
    first = ensure_certificate(tmp_path, now=NOW).certificate.read_bytes()
    assert ensure_certificate(tmp_path, now=NOW + timedelta(days=300)).certificate.read_bytes() == first
    assert ensure_certificate(tmp_path, now=NOW + timedelta(days=340)).certificate.read_bytes() != first


def test_a_broken_key_is_replaced_and_stays_private(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path, now=NOW)
    files.key.write_text("not a key")
    again = ensure_certificate(tmp_path, now=NOW)
    assert "PRIVATE KEY" in again.key.read_text()
    assert stat.S_IMODE(again.key.stat().st_mode) == 0o600


def test_the_bundle_keeps_a_companys_roots_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    company = tmp_path / "company.pem"
    (tmp_path / "other").mkdir()
    company.write_bytes(ensure_certificate(tmp_path / "other", now=NOW).certificate.read_bytes())
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(company))
    bundle = ensure_certificate(tmp_path, now=NOW).bundle.read_text()
    assert bundle.count(company.read_text().strip()) == 1


def test_a_taken_port_names_the_remedy_and_leaves_nothing_running(tmp_path: Path) -> None:
    with create_server(("127.0.0.1", 0)) as taken:
        ground = Ground(GroundConfig(tmp_path, taken.getsockname()[1], *free_ports(1)))
        with pytest.raises(PortTakenError) as refusal:
            ground.start()
    assert "make up PORT=" in str(refusal.value)
    assert not ground.is_running


def test_commands_that_need_a_ground_say_how_to_start_it(tmp_path: Path) -> None:
    ground = Ground(GroundConfig(tmp_path, *free_ports(2)))
    for command in (ground.require_running, ground.checkpoint, lambda: deploy(ground)):
        with pytest.raises(GroundNotRunningError) as refusal:
            command()
        assert "make up" in str(refusal.value)
    ground.stop()
    ground.kill()


def test_a_running_ground_is_not_started_on_other_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    GroundConfig(tmp_path, 4600, 4601).save()
    ground = Ground(GroundConfig(tmp_path, 4700, 4701))
    monkeypatch.setattr(type(ground), "is_running", True)
    with pytest.raises(GroundRunningElsewhereError) as refusal:
        ground.start()
    assert (refusal.value.data["port"], refusal.value.data["athena_port"]) == (4600, 4601)


class Apis:
    """An API Gateway that has these APIs."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def get_paginator(self, operation_name: str) -> Apis:
        assert operation_name == "get_apis"
        return self

    def paginate(self) -> list[dict[str, list[dict[str, str]]]]:
        return [{"Items": [{"Name": name, "ApiId": name[:3], "ApiEndpoint": "https://x"}]} for name in self.names]


def test_the_api_is_found_by_its_name() -> None:
    assert find_api(Apis("other", "vintner-dev-features"), "dev") == ("vin", "https://x")
    with pytest.raises(NotDeployedError):
        find_api(Apis("other"), "dev")


def test_a_deployment_knows_its_names() -> None:
    found = Deployment(environment="laptop", account="000000000000", region="eu-west-1", api_url="https://x")
    assert found.market_stream == "vintner-laptop-market-data"
    assert found.lake_bucket == "vintner-laptop-lake-000000000000-eu-west-1"
    assert found.settings()["VINTNER_WAREHOUSE"] == f"s3://{found.lake_bucket}/lake"
    assert found.as_dict()["online_table"] == "vintner-laptop-online"
    assert found.stream("market_data.trades") == "vintner-laptop-market-data-trades"
    assert found.function("trades_lander") == "vintner-laptop-trades-lander"
    assert found.as_dict()["features_raw_stream"] == "vintner-laptop-features-raw"
    assert found.settings()["VINTNER_LEDGER_TABLE"] == found.ledger_table == "vintner-laptop-ledger"
    with pytest.raises(UnknownStreamError):
        found.stream("market_data")
