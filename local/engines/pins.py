"""What the real engines are made of: exact versions, and the digest of every file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """One file of a Maven repository.

    Parameters
    ----------
    group, name, version, packaging
        Its coordinates.
    sha256
        Digest of the file.
    size
        Its length in bytes.

    Examples
    --------
    >>> TRINO_SERVER.coordinates, TRINO_SERVER.file_name
    ('io.trino:trino-server-core:476:tar.gz', 'trino-server-core-476.tar.gz')
    """

    group: str
    name: str
    version: str
    packaging: str
    sha256: str
    size: int

    @property
    def coordinates(self) -> str:
        """Group, name, version and packaging, as Maven writes them."""
        return f"{self.group}:{self.name}:{self.version}:{self.packaging}"

    @property
    def file_name(self) -> str:
        """Name of the file."""
        return f"{self.name}-{self.version}.{self.packaging}"


TRINO_VERSION: Final = "476"
ICEBERG_VERSION: Final = "1.10.1"
SPARK_VERSION: Final = "3.5.8"

TRINO_SERVER: Final = Artifact(
    group="io.trino",
    name="trino-server-core",
    version=TRINO_VERSION,
    packaging="tar.gz",
    sha256="0f388f9967c177ae70a47c099082fc95387f0c3cb96d8000d1d41fc3a5223158",  # pragma: allowlist secret
    size=194_358_953,
)
TRINO_ICEBERG: Final = Artifact(
    group="io.trino",
    name="trino-iceberg",
    version=TRINO_VERSION,
    packaging="zip",
    sha256="99edba5b491ed94d599aeb61e0794272d3569d8b563f3bb8569e8a49daa87b6c",  # pragma: allowlist secret
    size=345_890_737,
)
SPARK_ICEBERG: Final = Artifact(
    group="org.apache.iceberg",
    name="iceberg-spark-runtime-3.5_2.12",
    version=ICEBERG_VERSION,
    packaging="jar",
    sha256="39ea09e6c03550a300b9d9ab498949836d2d434e441da4c12a943a086e396940",  # pragma: allowlist secret
    size=47_140_434,
)
ICEBERG_AWS: Final = Artifact(
    group="org.apache.iceberg",
    name="iceberg-aws-bundle",
    version=ICEBERG_VERSION,
    packaging="jar",
    sha256="86bf20892ea5b4c17688f19b075399885f6aa5303f6b2dc9f491e76ceef9633b",  # pragma: allowlist secret
    size=62_673_230,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class JavaNeed:
    """Which Java an engine runs on.

    Parameters
    ----------
    oldest, newest
        Releases that fit, both included.
    lock
        Lock file of the package that carries one, for machines without.
    """

    oldest: int
    newest: int
    lock: str


# Newer releases than these were not tried: Spark 3.5 ends at 17, Trino 476 begins at 24.
JAVA_FOR_TRINO: Final = JavaNeed(oldest=24, newest=25, lock="java-trino")
JAVA_FOR_SPARK: Final = JavaNeed(oldest=17, newest=17, lock="java-spark")
