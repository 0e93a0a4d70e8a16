"""A Spark session over the laptop ground's own catalog and buckets, and what a Glue job needs to run there."""

from local.spark.errors import SparkError, SparkStartError
from local.spark.session import Spark
from local.spark.settings import CATALOG, SparkHome

__all__ = ["CATALOG", "Spark", "SparkError", "SparkHome", "SparkStartError"]
