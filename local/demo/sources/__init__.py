"""Readers of real data that ships inside packages: files are read, the packages are never imported."""

from local.demo.sources.catalogue import PACKAGED, read_packaged

__all__ = ["PACKAGED", "read_packaged"]
