"""The environment variables of the ground's processes and of their clients.

Nothing of the user's own AWS setup may leak in: a stray profile, endpoint or credential would send a local
command to a real account, or a handler to nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from local.ground.certificate import BUNDLE_VARIABLES, ServerCertificate
from local.ground.config import ACCOUNT, REGION, GroundConfig

ROOT_CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}  # pragma: allowlist secret
"""What the ground takes for its account's root user; everybody else is judged by IAM."""

_STRAY_PREFIXES: Final = (
    "AWS_",
    "CDK_",
    "LAMBDA_",
    "LOCALSTACK_",
    "MINISTACK_",
    "POWERTOOLS_",
    "PYTEST_",
    "PYTHON",
    "S3_",
    "SFN_",
    "VINTNER_",
)
# Each of these would change what MiniStack does or where a client looks.
_STRAY_NAMES: Final = (
    "AUTH",
    "CLOUDTRAIL_RECORDING",
    "DOCKER_HOST",
    "EDGE_PORT",
    "HOSTNAME",
    "LOG_LEVEL",
    "SERVICES",
    "SSL_CERT_DIR",
    "VIRTUAL_ENV",
)


def scrubbed(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without anything that steers AWS clients, MiniStack or Python.

    Examples
    --------
    >>> scrubbed({"AWS_PROFILE": "work", "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"})
    {'LANG': 'C.UTF-8'}
    """
    source = os.environ if environment is None else environment
    return {
        name: value
        for name, value in source.items()
        if name not in _STRAY_NAMES and not name.startswith(_STRAY_PREFIXES)
    }


def client_settings(config: GroundConfig, certificate: ServerCertificate) -> dict[str, str]:
    """Return the variables by which AWS clients reach the ground as its root user."""
    bundle = str(certificate.bundle)
    return {
        **ROOT_CREDENTIALS,
        **dict.fromkeys(BUNDLE_VARIABLES, bundle),
        "AWS_ENDPOINT_URL": config.endpoint,
        "AWS_ENDPOINT_URL_ATHENA": config.athena_endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # There is no instance to ask for credentials; without this a client may wait for one.
        "AWS_EC2_METADATA_DISABLED": "true",
        **_no_proxy(),
    }


def strays(environment: Mapping[str, str], settings: Mapping[str, str]) -> list[str]:
    """Return the names of variables that would contradict ``settings`` and have to be unset."""
    names = (name for name in environment if name.startswith("AWS_") or name == "SSL_CERT_DIR")
    return sorted(name for name in names if name not in settings)


def ministack_settings(config: GroundConfig, certificate: ServerCertificate) -> dict[str, str]:
    """Return the variables of the MiniStack process; handlers' workers inherit them."""
    return {
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "DOCKER_HOST": f"unix://{config.work_dir / 'no-docker'}",  # it would remove containers of other projects
        "GATEWAY_PORT": str(config.port),
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        "LOG_LEVEL": "INFO",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "MINISTACK_SSL_CERT": str(certificate.certificate),
        "MINISTACK_SSL_KEY": str(certificate.key),
        "PERSIST_STATE": "1",
        "PYTHONUNBUFFERED": "1",
        "S3_DATA_DIR": str(config.state_dir / "objects"),
        "S3_PERSIST": "1",
        "SFN_WAIT_SCALE": "0",
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(config.state_dir / "state"),
        "TMPDIR": str(config.work_dir),
        "USE_SSL": "1",
    }


def _no_proxy() -> dict[str, str]:
    """Keep a proxy of the user's away from this machine's own addresses."""
    ours = ["localhost", "127.0.0.1"]
    theirs = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    hosts = ",".join([*ours, *(host for host in theirs.split(",") if host and host not in ours)])
    return {"NO_PROXY": hosts, "no_proxy": hosts}
