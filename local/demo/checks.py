"""What a run has to show, each with the numbers that show it."""

from __future__ import annotations

from collections.abc import Sequence

from local.demo.model import MacroQuestion
from local.demo.report import Audit, BadLine, Check, Counts, MacroStory, Online, PathLine, Trouble


def check_records(records: Counts, trouble: Trouble) -> list[Check]:
    """Nothing lost, nothing doubled, every piece of trouble in its place."""
    refused: list[BadLine] = [bad for bad in trouble.bad if not bad.quarantined]
    # A record of the user's own that breaks a rule is refused as often as it is sent, and late as well as on time.
    own = records.quarantined - (len(trouble.bad) - len(refused))
    return [
        Check(
            name="every record is accounted for",
            passed=records.unaccounted == 0,
            detail=f"{records.sent:,} sent = {records.kept:,} kept + {records.duplicates:,} duplicates "
            f"+ {records.quarantined:,} quarantined",
        ),
        Check(
            name="every repeat was recognised",
            passed=records.duplicates + own >= trouble.duplicates,
            detail=f"{trouble.duplicates:,} sent twice, {records.duplicates:,} recognised",
        ),
        Check(
            name="late records keep their old knowledge time",
            passed=trouble.late - own <= trouble.late_kept <= trouble.late,
            detail=f"{trouble.late_kept:,} of {trouble.late:,}",
        ),
        Check(
            name="every kind of bad record is quarantined",
            passed=not refused,
            detail=f"{len(trouble.bad) - len(refused)} of {len(trouble.bad)} kinds"
            + (f"; not found: {', '.join(bad.kind for bad in refused)}" if refused else ""),
        ),
    ]


def check_macro(question: MacroQuestion, story: MacroStory) -> Check:
    """Then is not now; where the right numbers are on record, they are the ones shown."""
    first, today = story.as_known[0].answer, story.today.answer
    wanted = question.expected
    passed = first != today if wanted is None else (round(first, 2), round(today, 2)) == wanted
    detail = f"{first:.2f} as first known, {today:.2f} today"
    if wanted is not None:
        detail += f"; on record are {wanted[0]:.2f} and {wanted[1]:.2f}"
    return Check(name=f"{story.entity} of {story.period} has its vintages", passed=passed, detail=detail)


def check_answers(paths: Sequence[PathLine], online: Online) -> list[Check]:
    """Three ways of asking give one answer; the online store serves what the lake knows."""
    cells, differing = sum(line.cells for line in paths), sum(line.differing for line in paths)
    return [
        Check(
            name="library, HTTP API and Athena SQL agree to the last bit",
            passed=cells > 0 and differing == 0,
            detail=f"{cells:,} cells compared, {differing:,} differ",
        ),
        Check(
            name="the online store serves what the lake knows now",
            passed=online.cells > 0 and online.differing == 0,
            detail=f"{online.cells:,} cells of {online.symbols} symbols, {online.differing:,} differ",
        ),
    ]


def check_audit(audit: Audit) -> list[Check]:
    """No leak in the table, and none of the planted ones missed."""
    return [
        Check(
            name="the leak audit of the feature table finds nothing",
            passed=audit.cells > 0 and audit.findings == 0,
            detail=f"{audit.findings:,} findings in {audit.cells:,} cells",
        ),
        Check(
            name="the leak audit of a leaky table finds every planted cell",
            passed=audit.planted > 0 and audit.missed == 0 and audit.false_alarms == 0,
            detail=f"{audit.planted:,} planted, {audit.found:,} found, {audit.false_alarms:,} false alarms",
        ),
    ]
