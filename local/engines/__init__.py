"""The real engines of this machine: Trino and Spark, fetched once and shared by every clone of the project."""

from local.engines.errors import EngineMissingError
from local.engines.install import Installer, SparkInstall, TrinoInstall

__all__ = ["EngineMissingError", "Installer", "SparkInstall", "TrinoInstall"]
