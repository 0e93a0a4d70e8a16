"""The report of a run: ``build/demo/report.json``.

Version 1. Every key is described by the model below; ``python -m json.tool`` shows it. A later version may add keys;
one that changes the meaning of a key has another number.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """What all parts of the report share."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Counts(Part):
    """What became of the records of one dataset, or of all."""

    sent: int = Field(description="records sent, repeats included; a delivery that cannot be read counts as one")
    kept: int = Field(description="versions in the lake")
    duplicates: int = Field(description="repeats that were recognised and dropped")
    quarantined: int = Field(description="records refused and kept in the quarantine")

    @property
    def unaccounted(self) -> int:
        """Records that are nowhere; must be 0."""
        return self.sent - self.kept - self.duplicates - self.quarantined


class SourceLine(Part):
    """One feed that was read."""

    dataset: str
    source: str
    origin: str = Field(description="file it was read from")
    known_by_rule: str = Field(description="how its knowledge time was decided")
    versions: int
    entities: int


class BadLine(Part):
    """One bad piece that was sent on purpose."""

    kind: str
    rule: str = Field(description="rule it must be quarantined under")
    quarantined: bool = Field(description="found in the quarantine, whole, under this rule")
    remedy: str = Field(description="what the quarantine says to do about it")


class Trouble(Part):
    """What was done to the traffic on purpose."""

    duplicates: int = Field(description="records sent twice")
    late: int = Field(description="records sent after everything newer")
    late_kept: int = Field(description="of these, in the lake under their old knowledge time")
    moved_batches: int = Field(description="batches sent out of their order")
    bad: tuple[BadLine, ...]


class MacroAnswer(Part):
    """One period of one series, as known at one instant."""

    known_at: datetime
    level: float
    previous: float
    answer: float = Field(description="growth in percent, or the level, by the question's measure")


class MacroStory(Part):
    """One period of one revised series, then and now."""

    entity: str
    title: str
    period: str
    measure: Literal["growth", "level"]
    unit: str
    as_known: tuple[MacroAnswer, ...] = Field(description="at the three dates")
    today: MacroAnswer
    versions: int = Field(description="how often the period was stated anew")


class PathLine(Part):
    """The answers of one way of asking, against the library's."""

    question: str
    path: str
    rows: int
    cells: int = Field(description="cells compared, bit by bit")
    differing: int = Field(description="must be 0")
    seconds: float


class Online(Part):
    """The online store, read through the API, against the lake."""

    symbols: int
    cells: int
    differing: int
    seconds: float


class Audit(Part):
    """The leak audit of the feature table, and of a copy with planted leaks."""

    cells: int
    findings: int = Field(description="in the table as made; must be 0")
    planted: int = Field(description="cells of the copy that were given a value not known at their time")
    found: int
    missed: int = Field(description="must be 0")
    false_alarms: int = Field(description="must be 0")
    examples: tuple[str, ...]


class Timing(Part):
    """How long one step took."""

    step: str
    seconds: float


class Check(Part):
    """One thing the run had to show."""

    name: str
    passed: bool
    detail: str


class Report(Part):
    """Everything one run showed."""

    version: Literal[1] = 1
    started_at: datetime
    origin: str = Field(description="where the data came from")
    environment: str
    sources: tuple[SourceLine, ...]
    records: Counts = Field(description="all datasets together, bad pieces included")
    by_dataset: dict[str, Counts] = Field(description="what was stated, by dataset; bad pieces are under `trouble`")
    refused: dict[str, int] = Field(description="quarantined by rule, bad pieces included")
    trouble: Trouble
    macro: MacroStory
    paths: tuple[PathLine, ...]
    online: Online
    audit: Audit
    timings: tuple[Timing, ...]
    checks: tuple[Check, ...]
    plot: str = Field(description="image of first print against latest revision")

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)
