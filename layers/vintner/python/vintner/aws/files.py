"""The lake's files on S3, reached as every AWS SDK reaches its services.

PyArrow's S3 takes credentials from where the SDKs do, but not the endpoint (``AWS_ENDPOINT_URL``) and not the
certificate authorities (``AWS_CA_BUNDLE``), which any network with its own needs. Here it is told both.
"""

from __future__ import annotations

import os
from typing import Final

from pyarrow.fs import FileSystem, S3FileSystem
from pyiceberg.io import S3_ENDPOINT, S3_REGION
from pyiceberg.io.pyarrow import PyArrowFileIO

CA_BUNDLE: Final = "AWS_CA_BUNDLE"


class LakeFileIO(PyArrowFileIO):
    """PyIceberg's PyArrow files, with the certificate authorities of ``AWS_CA_BUNDLE``."""

    def _initialize_s3_fs(self, netloc: str | None) -> FileSystem:  # noqa: ARG002
        return S3FileSystem(
            endpoint_override=self.properties.get(S3_ENDPOINT),
            region=self.properties.get(S3_REGION),
            tls_ca_file_path=os.environ.get(CA_BUNDLE),
        )
