"""A ground with nothing of the platform but its buckets, its database and its tables: what SQL engines need."""

from __future__ import annotations

from typing import Final

from infra.environments import get
from infra.naming import Names
from local.ground import Ground
from local.ground.config import ACCOUNT, REGION
from local.ground.deploy import LAPTOP
from vintner.aws.catalog import open_glue_catalog
from vintner.datasets import DATASETS
from vintner.lake.migrate import migrate

NAMES: Final = Names(get(LAPTOP), ACCOUNT)


def furnish(ground: Ground) -> None:
    """Make buckets, database and tables; this process has to be a client of the ground already."""
    s3, glue = ground.client("s3"), ground.client("glue")
    for bucket in (NAMES.lake_bucket, NAMES.athena_bucket):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    glue.create_database(DatabaseInput={"Name": NAMES.glue_database, "LocationUri": NAMES.warehouse})
    catalog = open_glue_catalog(REGION)
    migrate(catalog, NAMES.glue_database, NAMES.warehouse, DATASETS.values())
