"""Certificates that a JVM shall trust, as the file it reads them from."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from cryptography.utils import CryptographyDeprecationWarning

from local.ground.certificate import BUNDLE_VARIABLES, PEM

_SYSTEM_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def write_trust_store(path: Path, bundles: Iterable[Path]) -> Path:
    """Write the certificates of some PEM bundles as a trust store without a password; return its path."""
    certificates: dict[bytes, x509.Certificate] = {}
    for bundle in bundles:
        for block in PEM.findall(bundle.read_text(encoding="utf-8", errors="replace")):
            for certificate in _parsed(block):
                certificates.setdefault(certificate.fingerprint(hashes.SHA256()), certificate)
    entries = [
        pkcs12.PKCS12Certificate(certificate, f"root-{number}".encode())
        for number, certificate in enumerate(certificates.values())
    ]
    path.write_bytes(pkcs12.serialize_java_truststore(entries, NoEncryption()))
    return path


def _parsed(block: str) -> Iterator[x509.Certificate]:
    """Yield the certificate in a PEM block; nothing when it breaks the rules, as an old root of some machine may."""
    with warnings.catch_warnings(), suppress(ValueError):
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # about serial numbers of roots not ours
        yield x509.load_pem_x509_certificate(block.encode())


def machine_bundles() -> list[Path]:
    """Return the bundles this machine and its user trust: a package's Java knows none of them."""
    named = [Path(os.environ[name]) for name in BUNDLE_VARIABLES if os.environ.get(name)]
    found = next((Path(name) for name in _SYSTEM_BUNDLES if Path(name).is_file()), Path(certifi.where()))
    return [found, *(path for path in named if path.is_file())]


def trust_options(store: Path) -> list[str]:
    """Return the words by which a JVM uses a trust store of :func:`write_trust_store`."""
    return [f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStoreType=PKCS12"]
