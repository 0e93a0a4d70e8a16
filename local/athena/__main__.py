"""Serve Athena's API for the laptop ground: ``python -m local.athena --port 4567``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

import boto3

from local.athena.endpoint import build_endpoint
from local.athena.engine import SqlEngine
from local.athena.results import S3ResultStore
from local.athena.server import AthenaServer
from local.athena.workgroups import WorkGroup
from local.engines import Installer
from local.ground.config import REGION
from local.trino import TrinoEngine, TrinoServer
from vintner.aws.catalog import open_glue_catalog

_PROJECT: Final = Path(__file__).resolve().parents[2]
_OUTPUT: Final = "s3://vintner-{environment}-athena-000000000000-eu-west-1/results/"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.athena", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--cert", type=Path, help="certificate file (PEM), for HTTPS")
    parser.add_argument("--key", type=Path, help="its private key file (PEM)")
    parser.add_argument("--environment", default="laptop", help="whose workgroup and database to serve")
    parser.add_argument("--trino", type=Path, help="run SQL on real Trino, with its settings in this folder")
    parser.add_argument("--output", help="location of results, s3://bucket/prefix/")
    parser.add_argument("--queries", type=Path, default=_PROJECT / "athena", help="folder of saved SQL")
    parsed = parser.parse_args()
    if (parsed.cert is None) != (parsed.key is None):
        parser.error("--cert and --key belong together")
    return parsed


def _trino(folder: Path) -> SqlEngine:
    server = TrinoServer(Installer().trino(), folder, os.environ)
    server.start()
    return TrinoEngine(server.address, server)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    given = _arguments()
    environment = given.environment
    workgroup = WorkGroup(
        name=f"vintner-{environment}",
        output=given.output or _OUTPUT.format(environment=environment),
        enforced=True,
        description=f"Research queries of Vintner {environment}.",
    )
    endpoint = build_endpoint(
        partial(open_glue_catalog, REGION),
        S3ResultStore(boto3.client("s3", region_name=REGION)),
        workgroup=workgroup,
        database=f"vintner_{environment}",
        queries=given.queries,
        engine=_trino(given.trino) if given.trino else None,
    )
    certificate = (given.cert, given.key) if given.cert else None
    server = AthenaServer(endpoint.operations, given.host, given.port, certificate)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown).start()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    print(f"Athena at {server.endpoint}", flush=True)
    try:
        server.serve_forever(poll_interval=0.1)
    finally:
        server.server_close()
        endpoint.close()


if __name__ == "__main__":
    main()
