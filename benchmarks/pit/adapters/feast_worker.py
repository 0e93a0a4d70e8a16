"""Runs in Feast's own environment, and imports nothing of this project: a job per line in, a line per answer out.

{"repository": folder, "views": {table: {file, keys, ttl_us, values}}}           makes the feature store
{"spine": file, "features": […], "filter_by_created": true, "answer": file}      get_historical_features
"""

import json
import logging
import sys
import time
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
REPLIES = sys.stdout
sys.stdout = sys.stderr  # whatever Feast prints is no reply

import pyarrow.parquet as pq  # noqa: E402
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig  # type: ignore[import-not-found] # noqa: E402
from feast.infra.offline_stores.duckdb import DuckDBOfflineStoreConfig  # type: ignore[import-not-found] # noqa: E402
from feast.types import Float64, Int64, String  # type: ignore[import-not-found] # noqa: E402
from feast.value_type import ValueType  # type: ignore[import-not-found] # noqa: E402

TYPES = {"double": Float64, "int64": Int64, "string": String}
KEY_TYPES = {"string": ValueType.STRING, "int64": ValueType.INT64}


def make_store(job: dict[str, Any]) -> FeatureStore:
    """Declare the entities and feature views in a store of files."""
    repository = Path(job["repository"])
    store = FeatureStore(
        config=RepoConfig(
            project="pit",
            provider="local",
            registry=str(repository / "registry.db"),
            online_store=None,
            offline_store=DuckDBOfflineStoreConfig(type="duckdb"),
            entity_key_serialization_version=3,
        )
    )
    entities: dict[str, Entity] = {}
    views = []
    for name, told in job["views"].items():
        for key, kind in told["keys"].items():
            entities.setdefault(key, Entity(name=key, join_keys=[key], value_type=KEY_TYPES[kind]))
        source = FileSource(
            name=f"{name}_source",
            path=told["file"],
            timestamp_field="event_time",
            created_timestamp_column="knowledge_time",
        )
        keys = [Field(name=key, dtype=TYPES[kind]) for key, kind in told["keys"].items()]
        values = [Field(name=value, dtype=TYPES[kind]) for value, kind in told["values"].items()]
        ttl = timedelta(microseconds=told["ttl_us"])
        owners = [entities[key] for key in told["keys"]]
        views.append(FeatureView(name=name, entities=owners, ttl=ttl, schema=[*keys, *values], source=source))
    store.apply([*entities.values(), *views])
    return store


def answer(store: FeatureStore, job: dict[str, Any]) -> dict[str, Any]:
    """Run one historical retrieval; only it is timed."""
    spine = pq.read_table(job["spine"]).to_pandas()
    more = {"filter_by_created_timestamp": True} if job["filter_by_created"] else {}
    started = time.perf_counter()
    found = store.get_historical_features(entity_df=spine, features=job["features"], **more).to_arrow()
    seconds = time.perf_counter() - started
    pq.write_table(found, job["answer"])
    return {"seconds": seconds}


def main() -> None:
    """Answer jobs until there are none."""
    store = None
    for line in sys.stdin:
        job = json.loads(line)
        try:
            if "views" in job:
                store, reply = make_store(job), {}
            else:
                reply = answer(store, job)
        except Exception as error:  # noqa: BLE001 - told to the process that asked
            reply = {"error": f"{type(error).__name__}: {error}"}
        REPLIES.write(json.dumps(reply) + "\n")
        REPLIES.flush()


if __name__ == "__main__":
    main()
