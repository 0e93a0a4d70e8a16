"""The whole demonstration, told in order.

1. Read the data while the ground starts; deploy the platform to it, as `make deploy` would.
2. Stream everything in, with trouble on purpose, until every record is accounted for.
3. Ask what a revised number was known to be, and a feature table for many dates; on three paths.
4. Read the online store, audit the table for leaks, draw the picture.
5. Judge what was shown, write the report, leave nothing running.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from local.demo import scenes
from local.demo.ask import ApiPath, AthenaPath, LibraryPath
from local.demo.asking import Asked, ask_all, ask_online
from local.demo.checks import check_answers, check_audit, check_macro, check_records
from local.demo.errors import CheckFailedError
from local.demo.leaks import audit
from local.demo.macro import picture_of
from local.demo.material import gather
from local.demo.model import Material
from local.demo.plot import draw
from local.demo.report import Audit, Online, Report, SourceLine
from local.demo.screen import Screen
from local.demo.stage import Stage, client_environment, new_ground
from local.demo.streaming import Streamed, stream_all
from local.ground import PROJECT, deploy
from vintner.aws.http import SignedSession
from vintner.lake import LakeReader
from vintner.marketdata import MACRO_SERIES

OUTPUT: Final = PROJECT / "build" / "demo"
ENVIRONMENT: Final = "laptop"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What one run found out."""

    started: datetime
    material: Material
    streamed: Streamed
    asked: Asked
    online: Online
    audit: Audit


def tell(folder: Path | None, screen: Screen, *, output: Path = OUTPUT, keep: bool = False) -> Report:
    """Run the demonstration.

    Parameters
    ----------
    folder
        The user's data, or None for the packaged data.
    screen
        Where it is shown.
    output
        Folder of the ground, the report and the picture.
    keep
        Leave the ground running at the end.

    Raises
    ------
    CheckFailedError
        The run ended, and a check did not pass; the report is written all the same.
    """
    started = datetime.now(UTC)
    screen.title("Vintner", "Every fact keeps its vintage: what was known, when, and which revision it was.")
    with _stage(folder, screen, started, output / "ground", keep=keep) as (stage, material):
        shown = _play(stage, material, screen, started, output / "vintages.png")
    report = _report(shown, screen, output / "vintages.png")
    report.write(output / "report.json")
    scenes.show_end(screen, report, _shown_path(output / "report.json"), _shown_path(output / "vintages.png"))
    if report.failed:
        failed = "; ".join(f"{check.name} ({check.detail})" for check in report.failed)
        raise CheckFailedError(count=len(report.failed), failed=failed, report=output / "report.json")
    return report


@contextmanager
def _stage(
    folder: Path | None, screen: Screen, now: datetime, state: Path, *, keep: bool
) -> Iterator[tuple[Stage, Material]]:
    """Start the ground and deploy to it while the data is read; stop it at the end, whatever happened."""
    screen.chapter("The ground")
    ground = new_ground(state)
    with ThreadPoolExecutor(1) as pool:
        reading: Future[Material] = pool.submit(gather, folder, now=now)
        try:
            with screen.step("Starting the laptop ground, and reading the data meanwhile"):
                ground.start()
                material = reading.result()
            with screen.step("Deploying with the CDK, making the tables") as tell_line:
                deployment = deploy(ground, ENVIRONMENT, tell_line)
            scenes.show_material(screen, material)
            with client_environment(ground):
                yield Stage(ground=ground, deployment=deployment), material
        finally:
            if keep and ground.is_running:
                screen.say(f"The ground keeps running at {ground.endpoint}; its state is in {_shown_path(state)}.")
            else:
                with screen.step("Ending the ground"):
                    ground.kill()  # its state is thrown away, so it need not be written first


def _play(stage: Stage, material: Material, screen: Screen, started: datetime, plot: Path) -> Shown:
    reader = LakeReader(stage.catalog(), stage.deployment.glue_database)
    screen.chapter("Facts in")
    streamed = stream_all(material, stage, screen, reader)
    scenes.show_records(screen, streamed.records, streamed.by_dataset, len(streamed.trouble.bad))
    scenes.show_trouble(screen, streamed.trouble, streamed.refused)

    screen.chapter("Questions")
    library = LibraryPath(reader)
    api = ApiPath(stage.deployment.api_url, SignedSession(region=stage.deployment.region))
    athena = AthenaPath(
        stage.client("athena"), workgroup=stage.deployment.workgroup, database=stage.deployment.glue_database
    )
    asked = ask_all(material, [library, api, athena], screen, reader)
    with screen.step("Every symbol now: reading the online store through the API"):
        online = ask_online(material, api, library)
    table = library.table(material.symbols, material.decisions)
    scenes.show_macro(screen, asked.macro)
    scenes.show_features(screen, table, material.symbols[0])
    scenes.show_paths(screen, asked.paths, online)

    screen.chapter("Leaks")
    now = datetime.now(UTC)
    with screen.step("Auditing the feature table, and a copy with leaks planted in it"):
        audited = audit(table, reader, now=now)
    scenes.show_audit(screen, audited)
    with screen.step("Drawing first print against latest revision"):
        draw(picture_of(material.macro, reader.read(MACRO_SERIES, entities=[material.macro.entity]), now), plot)
    return Shown(started=started, material=material, streamed=streamed, asked=asked, online=online, audit=audited)


def _report(shown: Shown, screen: Screen, plot: Path) -> Report:
    streamed, asked = shown.streamed, shown.asked
    checks = [
        *check_records(streamed.records, streamed.trouble),
        check_macro(shown.material.macro, asked.macro),
        *check_answers(asked.paths, shown.online),
        *check_audit(shown.audit),
    ]
    return Report(
        started_at=shown.started,
        origin=shown.material.origin,
        environment=ENVIRONMENT,
        sources=tuple(
            SourceLine(
                dataset=feed.dataset,
                source=feed.name,
                origin=feed.origin,
                known_by_rule=feed.known_by_rule,
                versions=feed.rows,
                entities=len(feed.entities),
            )
            for feed in shown.material.feeds
        ),
        records=streamed.records,
        by_dataset=dict(streamed.by_dataset),
        refused=dict(streamed.refused),
        trouble=streamed.trouble,
        macro=asked.macro,
        paths=asked.paths,
        online=shown.online,
        audit=shown.audit,
        timings=tuple(screen.timings),
        checks=tuple(checks),
        plot=str(_shown_path(plot)),
    )


def _shown_path(path: Path) -> Path:
    """Return a path as a person in the project's folder would write it."""
    return path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path
