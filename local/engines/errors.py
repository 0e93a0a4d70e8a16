"""What can go wrong while the real engines are fetched, each with its remedy."""

from __future__ import annotations

from local.errors import GroundError


class EngineMissingError(GroundError):
    """An engine is not on this machine and could not be brought here."""

    template = "{engine} cannot be had on this machine: {reason}"


class FetchFailedError(GroundError):
    """A file of an engine could not be fetched in any of the ways there are."""

    template = (
        "{what} could not be fetched ({attempts}); reach a Maven repository from here, or install Maven and tell its "
        "settings where one is"
    )


class ChecksumError(GroundError):
    """What came is not what was pinned."""

    template = (
        "{what} has the SHA-256 digest {found} instead of {wanted}, so it was thrown away; fetch it again with `make "
        "engines`, and if it differs once more, ask whoever serves your packages"
    )


class PackagesMissingError(GroundError):
    """Packages of an engine could not be installed."""

    template = "{what} could not be installed from a package index ({said}); reach one from here{instead}"
