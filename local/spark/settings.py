"""The settings of Spark over the ground, as the files and variables every Spark program reads.

A job has no setting of its own: in an account Glue's job parameters give it the catalog, here a folder of settings
(``SPARK_CONF_DIR``) does, so the same file runs in both places.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import certifi

from local.engines import SparkInstall
from local.engines.trust import trust_options, write_trust_store

CATALOG: Final = "glue_catalog"
"""Spark's name of the Glue catalog, in accounts and here."""

_ICEBERG: Final = f"spark.sql.catalog.{CATALOG}"

CATALOG_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.defaultCatalog": CATALOG,
        _ICEBERG: "org.apache.iceberg.spark.SparkCatalog",
        f"{_ICEBERG}.type": "glue",
        f"{_ICEBERG}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        # Others commit to the same tables: a table is looked up each time it is named.
        f"{_ICEBERG}.cache-enabled": "false",
    }
)
"""What a job is given in an account as well, beside its warehouse."""

# Small data on one machine: one task is quicker than many, and compiling well costs more than it gives.
_SMALL: Final = MappingProxyType(
    {
        "spark.master": "local[2]",
        "spark.driver.memory": "1g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.adaptive.enabled": "false",
        "spark.log.level": "WARN",
    }
)
_JVM: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC")


@dataclass(frozen=True, slots=True)
class SparkHome:
    """A folder of settings, and the variables that lead a Spark program to it.

    Parameters
    ----------
    install
        Where Spark and its Java are.
    folder
        Folder of the settings, made by :meth:`write`.
    environment
        Variables that lead AWS clients to the ground.
    warehouse
        Location of the tables.
    """

    install: SparkInstall
    folder: Path
    environment: Mapping[str, str]
    warehouse: str

    def write(self) -> None:
        """Write the settings."""
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        bundle = Path(self.environment.get("AWS_CA_BUNDLE") or certifi.where())
        write_trust_store(self.folder / "trust.p12", [bundle])
        lines = (f"{name} {value}\n" for name, value in self.settings().items())
        (self.folder / "spark-defaults.conf").write_text("".join(lines), encoding="utf-8")

    def settings(self) -> dict[str, str]:
        """Return every setting by name."""
        java = [*_JVM, *trust_options(self.folder / "trust.p12"), f"-Djava.io.tmpdir={self.folder / 'tmp'}"]
        made = {
            **CATALOG_SETTINGS,
            **_SMALL,
            "spark.jars": ",".join(map(str, self.install.jars)),
            "spark.driver.extraJavaOptions": " ".join(java),
            "spark.local.dir": str(self.folder / "tmp"),
            f"{_ICEBERG}.warehouse": self.warehouse,
            f"{_ICEBERG}.s3.path-style-access": "true",
        }
        for service in ("glue", "s3"):
            variable = f"AWS_ENDPOINT_URL_{service.upper()}"
            endpoint = self.environment.get(variable) or self.environment.get("AWS_ENDPOINT_URL")
            if endpoint:
                made[f"{_ICEBERG}.{service}.endpoint"] = endpoint
        return made

    def variables(self) -> dict[str, str]:
        """Return the whole environment of a Spark program."""
        path = [str(self.install.packages), self.environment.get("PYTHONPATH", "")]
        return {
            **{name: value for name, value in self.environment.items() if not name.startswith(("SPARK_", "PYSPARK_"))},
            "JAVA_HOME": str(self.install.java),
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "SPARK_CONF_DIR": str(self.folder),
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
