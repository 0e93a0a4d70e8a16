"""Joins a spine table with what was known of fact tables at each row's time, and writes the answer to a table.

Runs as a Glue job, or wherever Spark finds the catalog in its settings. Arguments: :class:`vintner.jobs.JoinRequest`.
"""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession

from vintner.bitemporal.sql import Dialect
from vintner.jobs import JoinRequest


def main(words: list[str]) -> None:
    """Run the job once; running it again makes the same table again."""
    request = JoinRequest.parse(words)
    spark = SparkSession.builder.getOrCreate()
    statement = request.statement(Dialect.SPARK, lambda name: spark.table(_quoted(name)).columns)
    answer = spark.sql(statement.text).writeTo(_quoted(request.output)).using("iceberg")
    # The table says what it was made of, so that it can be made again.
    for name, value in request.words.items():
        answer = answer.tableProperty(f"vintner.job.{name}", value)
    answer.createOrReplace()


def _quoted(name: tuple[str, ...]) -> str:
    return ".".join(f"`{part.replace('`', '``')}`" for part in name)


if __name__ == "__main__":
    main(sys.argv[1:])
