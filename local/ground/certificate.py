"""The ground's own server certificate, and the bundle that lets every client trust it.

Buckets refuse plain HTTP, so the ground speaks TLS. Clients replace their trust store by the bundle they are
given, therefore the bundle holds the public roots, the roots this machine was told about, and our certificate.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BUNDLE_VARIABLES: Final = (
    "AWS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
)
"""Every name under which some client looks for a bundle: botocore, OpenSSL, curl, requests, Node."""

_LIFETIME: Final = timedelta(days=365)
_RENEW_BEFORE: Final = timedelta(days=30)

PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
"""One certificate in a bundle."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """Files of the certificate: itself, its private key (mode 0600), and the bundle for clients."""

    certificate: Path
    key: Path
    bundle: Path


def ensure_certificate(folder: Path, *, now: datetime | None = None) -> ServerCertificate:
    """Return the certificate kept in ``folder``, made or renewed when needed.

    Parameters
    ----------
    folder
        Existing folder for the three files.
    now
        Aware time at which the certificate has to be good; the wall clock by default.
    """
    moment = now or datetime.now(UTC)
    files = ServerCertificate(folder / "server.pem", folder / "server.key", folder / "ca-bundle.pem")
    if not _is_good(files, moment):
        _make(files, moment)
    roots = [Path(certifi.where()), *_roots_of_this_machine(except_for=files.bundle), files.certificate]
    _write(files.bundle, _merge(roots).encode(), mode=0o644)
    return files


def _is_good(files: ServerCertificate, now: datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
    except (OSError, ValueError):
        return False
    valid = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc - _RENEW_BEFORE
    return valid and key.public_key() == certificate.public_key()


def _make(files: ServerCertificate, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Vintner laptop ground")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(identifier, critical=False)
        # Clients that verify strictly (Python 3.13's default) want the issuer named as well.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_names()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(files.key, secret, mode=0o600)
    _write(files.certificate, certificate.public_bytes(pem), mode=0o644)


def _names() -> list[x509.GeneralName]:
    # *.localhost: clients that put the bucket into the host name.
    hosts: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName("*.localhost")]
    return [*hosts, x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]


def _roots_of_this_machine(*, except_for: Path) -> Iterable[Path]:
    """Bundles the user's environment names, for instance of a company's own authority."""
    named = {os.environ[variable] for variable in BUNDLE_VARIABLES if os.environ.get(variable)}
    return [Path(path) for path in sorted(named) if Path(path).is_file() and Path(path) != except_for]


def _merge(bundles: Iterable[Path]) -> str:
    """Join bundles, each certificate once: clients parse the bundle for every connection pool they open."""
    blocks: dict[str, None] = {}
    for bundle in bundles:
        for block in PEM.findall(bundle.read_text(encoding="utf-8", errors="replace")):
            blocks.setdefault(block.replace("\r", ""), None)
    return "\n".join(blocks) + "\n"


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Write at once or not at all: another process may be reading."""
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    staging.chmod(mode)
    staging.replace(path)
