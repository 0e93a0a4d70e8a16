"""PyIceberg's files through boto3, so that moto's S3 in this process holds them as it holds everything else."""

from __future__ import annotations

import io
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
from pyiceberg.io import FileIO, InputFile, OutputFile


@cache
def s3_client() -> Any:
    """The client of the moto that is on: clear this cache when another one is."""
    return boto3.client("s3")


def _place(location: str) -> dict[str, str]:
    parts = urlsplit(location)
    return {"Bucket": parts.netloc, "Key": parts.path.lstrip("/")}


class _Upload(io.BytesIO):
    def __init__(self, location: str) -> None:
        super().__init__()
        self._location = location

    def close(self) -> None:
        if not self.closed:
            s3_client().put_object(**_place(self._location), Body=self.getvalue())
        super().close()


class BotoFile(InputFile, OutputFile):
    def __len__(self) -> int:
        return len(self._content())

    def exists(self) -> bool:
        try:
            self._content()
        except FileNotFoundError:
            return False
        return True

    def open(self, seekable: bool = True) -> Any:
        return io.BytesIO(self._content())

    def to_input_file(self) -> BotoFile:
        return self

    def create(self, overwrite: bool = False) -> Any:
        return _Upload(self.location)

    def _content(self) -> bytes:
        s3 = s3_client()
        try:
            found: bytes = s3.get_object(**_place(self.location))["Body"].read()
        except s3.exceptions.NoSuchKey:
            raise FileNotFoundError(self.location) from None
        return found


class BotoFileIO(FileIO):
    def new_input(self, location: str) -> BotoFile:
        return BotoFile(location)

    def new_output(self, location: str) -> BotoFile:
        return BotoFile(location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        s3_client().delete_object(**_place(location if isinstance(location, str) else location.location))
