"""What a leak audit found, as a table and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import INSTANT

AHEAD: Final = "ahead"
"""The source stated the value, but only after the row's cuts."""

UNSTATED: Final = "unstated"
"""The source never stated the value of this entity."""

STALE: Final = "stale"
"""The value had been stated by then, and was not, or no longer, the answer."""

MISSING: Final = "missing"
"""The cell is null, and something was known."""

REASON: Final = "reason"
"""The reason for having no answer is another one."""

FINDING_FIELDS: Final = (
    pa.field("position", pa.int64()),
    pa.field("entity", pa.string()),
    pa.field("time", INSTANT),
    pa.field("column", pa.string()),
    pa.field("value", pa.string()),
    pa.field("expected", pa.string()),
    pa.field("verdict", pa.string()),
    pa.field("known_at", INSTANT),
    pa.field("lead", pa.duration("us")),
)
"""Columns of the findings of an audit; values are text, because columns differ in type."""

_SHOWN: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class LeakReport:
    """What a leak audit found.

    Parameters
    ----------
    cells
        How many cells were compared.
    findings
        One row per cell that differs: position (int64, row of the table), entity (string; several keys with a slash
        between them), time (timestamp[us, UTC]), column (in a long table, the source), value and expected (string,
        null for null), verdict (``ahead``, ``unstated``, ``stale``, ``missing``, ``reason``), known_at
        (timestamp[us, UTC], when the value was first known, null for never), lead (duration[us], known_at minus the
        row's knowledge cut; above zero it was not known). In the order of the columns, then of the rows; of a long
        table in the order of the rows.

    Examples
    --------
    >>> report = LeakReport(cells=4, findings=pa.schema(FINDING_FIELDS).empty_table())
    >>> report.clean, str(report)
    (True, '4 cells compared: each holds what was known at its time.')
    """

    cells: int
    findings: pa.Table

    @property
    def clean(self) -> bool:
        """Whether no cell differs."""
        return bool(self.findings.num_rows == 0)

    @property
    def leaks(self) -> pa.Table:
        """The findings whose value was not yet known at their time: those ``ahead``, and those ``unstated``."""
        return self.findings.filter(pc.is_in(self.findings["verdict"], value_set=pa.array([AHEAD, UNSTATED])))

    def __str__(self) -> str:
        if self.clean:
            return f"{self.cells} cells compared: each holds what was known at its time."
        lines = [f"{self.cells} cells compared: {self.findings.num_rows} do not hold what was known at their time."]
        lines += [_sentence(finding) for finding in self.findings.slice(0, _SHOWN).to_pylist()]
        if self.findings.num_rows > _SHOWN:
            lines.append(f"  and {self.findings.num_rows - _SHOWN} more")
        return "\n".join(lines)


def _sentence(finding: dict[str, Any]) -> str:
    value, expected = (finding[name] if finding[name] is not None else "null" for name in ("value", "expected"))
    cell = f"{finding['entity']} {finding['time'].isoformat()} {finding['column']}"
    text = f"  {cell}: holds {value}, known was {expected}"
    if finding["verdict"] == REASON:
        return text
    if finding["known_at"] is None:
        return f"{text}; never known"
    lead = finding["lead"]
    side = f"{lead} after" if lead.total_seconds() > 0 else f"{-lead} before"
    return f"{text}; first known {finding['known_at'].isoformat()}, {side}"
