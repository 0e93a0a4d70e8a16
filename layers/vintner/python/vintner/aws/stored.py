"""Objects of the lake, listed and removed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import boto3

from vintner.errors import VintnerError
from vintner.lake.maintenance import StoredFile


class FilesNotRemovedError(VintnerError):
    """S3 did not remove files."""

    template = "{count} files could not be removed, the first {location}: {reason}; see to it, and call again"


def stored_files(location: str) -> Iterator[StoredFile]:
    """Yield the objects under an ``s3://`` location, which is a folder whether it ends with a slash or not.

    Examples
    --------
    >>> sum(file.bytes for file in stored_files("s3://vintner-dev-lake/lake/macro_series"))  # doctest: +SKIP
    48211
    """
    parts = urlsplit(location)
    prefix = parts.path.strip("/")
    pages = boto3.client("s3").get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=parts.netloc, Prefix=f"{prefix}/" if prefix else ""):
        for entry in page.get("Contents", ()):
            yield StoredFile(f"s3://{parts.netloc}/{entry['Key']}", entry["Size"], entry["LastModified"])


def list_files(location: str) -> Iterator[str]:
    """Yield the full locations of the objects under an ``s3://`` location."""
    return (file.location for file in stored_files(location))


def remove_files(locations: Sequence[str]) -> None:
    """Remove at most 1,000 objects, all of one bucket; one that is not there any more is no error.

    Raises
    ------
    FilesNotRemovedError
        S3 refused some of them; the others are gone.
    """
    if not locations:
        return
    (bucket,) = {urlsplit(location).netloc for location in locations}
    # No URL as browsers know it: a key may hold what they would take for a query.
    objects = [{"Key": location.removeprefix(f"s3://{bucket}/")} for location in locations]
    answer = boto3.client("s3").delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    if errors := answer.get("Errors"):
        first = errors[0]
        raise FilesNotRemovedError(
            count=len(errors), location=f"s3://{bucket}/{first['Key']}", reason=first.get("Message", first["Code"])
        )
