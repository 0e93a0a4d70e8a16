"""One question, three ways to ask it: the library, the HTTP API, Athena's SQL. And how the API refuses."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from local.ground import Deployment, Ground
from tests.support.athena_query import ask_athena
from vintner.aws.catalog import open_catalog
from vintner.aws.http import ApiProblemError, SignedSession
from vintner.aws.settings import Settings
from vintner.aws.streams import KinesisPut
from vintner.bitemporal import vintage
from vintner.lake import LakeReader
from vintner.marketdata import MACRO_SERIES
from vintner.messaging import Producer

START = datetime(2010, 1, 1, tzinfo=UTC)
KNOWN = datetime(2011, 6, 1, tzinfo=UTC)
SERIES = "paths.series"
Cells = list[tuple[str, float]]


def records() -> list[dict[str, Any]]:
    """Forty facts, stated, restated and withdrawn at random (from a seed), in no order."""
    dice = random.Random(7)  # noqa: S311 - for variety, not for secrets
    stated = []
    for event in range(40):
        for revision in range(dice.randint(1, 4)):
            deleted = dice.random() < 0.2
            at = START + timedelta(days=10 * event)
            stated.append(
                {
                    "entity": SERIES,
                    "event_time": at.isoformat(),
                    "knowledge_time": (at + timedelta(days=dice.randint(1, 400))).isoformat(),
                    "revision_seq": revision,
                    "op": "delete" if deleted else "upsert",
                    "values": {} if deleted else {"value": dice.gauss(0, 1e-3)},
                }
            )
    dice.shuffle(stated)
    return stated


def test_the_same_vintage_comes_from_library_api_and_sql(
    ground: Ground, platform: Deployment, environment: None
) -> None:
    stated = records()
    producer = Producer(KinesisPut(), platform.macro_stream, name="e2e")
    producer.send("macro_series", "e2e", stated, sent_at=datetime.now(UTC))
    reader = LakeReader(open_catalog(Settings.from_environment()), platform.glue_database)
    deadline = time.monotonic() + 60
    while (facts := reader.read(MACRO_SERIES, entities=[SERIES])).num_rows < len(stated):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    by_library = vintage(facts, known_at=KNOWN)
    library = list(
        zip((t.isoformat() for t in by_library["event_time"].to_pylist()), by_library["value"].to_pylist(), strict=True)
    )
    assert 20 < len(library) < 40, "some facts are not known yet, some are withdrawn"
    assert by_api(platform) == library
    assert by_sql(ground, platform) == library


def by_api(platform: Deployment) -> Cells:
    url = f"{platform.api_url}/v1/datasets/macro_series/vintage"
    answer = SignedSession(region=platform.region).request(
        "GET", url, params={"entity": SERIES, "known_at": KNOWN.isoformat()}
    )
    columns = answer.json["columns"]
    event, value = columns.index("event_time"), columns.index("value")
    return [(datetime.fromisoformat(row[event]).isoformat(), row[value]) for row in answer.json["rows"]]


def by_sql(ground: Ground, platform: Deployment) -> Cells:
    prepared = f"EXECUTE vintage USING '{SERIES}', '{KNOWN:%Y-%m-%d %H:%M:%S} UTC'"
    cells = ask_athena(ground.client("athena"), platform, prepared)
    return [(_instant(str(row["event_time"])), float(str(row["value"]))) for row in cells]


def _instant(text: str) -> str:
    return datetime.fromisoformat(text.replace(" UTC", "+00:00")).isoformat()


def test_a_bad_parameter_is_named_in_a_problem_document(platform: Deployment, environment: None) -> None:
    url = f"{platform.api_url}/v1/datasets/macro_series/vintage"
    with pytest.raises(ApiProblemError) as caught:
        SignedSession(region=platform.region).request("GET", url, params={"entity": "x", "known_at": "2011-06-01"})
    assert caught.value.status == 400
    assert caught.value.document["parameter"] == "known_at"
    assert caught.value.document["remedy"]


def test_a_caller_who_does_not_sign_is_refused(ground: Ground, platform: Deployment, environment: None) -> None:
    assert requests.get(f"{platform.api_url}/v1/health", timeout=10).status_code == 403
