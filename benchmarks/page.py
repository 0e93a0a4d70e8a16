"""The generated part of docs/benchmarks.md: a table per command, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import number
from vintner.errors import VintnerError

BEGIN: Final = "<!-- measured: begin (written by python -m benchmarks.report) -->"
END: Final = "<!-- measured: end -->"

Document = Mapping[str, Any]


class PageMarkersError(VintnerError, ValueError):
    """The page has no place for what was measured."""

    template = "{page} has no line {marker!r}; the tables go between the two markers"


def write_page(page: Path, documents: Sequence[Document]) -> None:
    """Write the tables of all documents between the markers of a page; the rest stays.

    Raises
    ------
    PageMarkersError
    """
    text = page.read_text("utf-8")
    for marker in (BEGIN, END):
        if marker not in text:
            raise PageMarkersError(page=page.name, marker=marker)
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    measured = "\n".join(lines(documents))
    page.write_text(f"{before}{BEGIN}\n\n{measured}\n\n{END}{after}", encoding="utf-8")


def lines(documents: Sequence[Document]) -> Iterator[str]:
    """Yield the lines of the generated part."""
    yield from _grounds(documents)
    for document in documents:
        yield from ("", f"### {_title(document)}", "", f"`{document['command']}`", "")
        if "error" in document:
            yield f"Not measured: {document['error']}"
        elif "runs" in document["details"] and "queries" in document["details"]:
            yield from _matrix(document["details"])
        else:
            yield from _findings(document["findings"])


def _grounds(documents: Sequence[Document]) -> Iterator[str]:
    """Say on what it was measured; once if it was all on one machine."""
    grounds = dict.fromkeys(_ground(document) for document in documents if document.get("machine"))
    for ground in grounds:
        yield f"Measured on {ground}."
    if len(grounds) > 1:
        yield "Not all rows are from the same ground: measure them again before comparing them."


def _ground(document: Document) -> str:
    machine = document["machine"]
    where = f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gib']:.0f} GiB, {machine['system']}"
    versions = ", ".join(f"{name} {version}" for name, version in sorted(document["versions"].items()))
    return f"{where}; Python {machine['python']}, {versions}"


def _title(document: Document) -> str:
    title = str(document["claim"])
    data = document.get("details", {}).get("data")
    return f"{title}, {data}" if data else title


def _findings(findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "| what | measured | promised | |"
    yield "| --- | --: | --- | --- |"
    for finding in findings:
        met = {True: "kept", False: "**missed**", None: ""}[finding["met"]]
        yield f"| {finding['what']} | {number(finding['value'])} {finding['unit']} | {finding['target']} | {met} |"


def _matrix(details: Mapping[str, Any]) -> Iterator[str]:
    runs = details["runs"]
    systems = list(dict.fromkeys(run["system"] for run in runs))
    reasons = list(dict.fromkeys(run["reason"] for run in runs if "reason" in run))
    yield f"{details['facts']:,} rows per fact table, {details['spine']:,} spine rows. Best times in milliseconds."
    yield ""
    yield f"| query | {' | '.join(systems)} |"
    yield f"| --- {'| --: ' * len(systems)}|"
    for query, title in details["queries"].items():
        cells = {run["system"]: _cell(run, reasons) for run in runs if run["query"] == query}
        if cells:
            yield f"| {query} {title} | {' | '.join(cells.get(system, '') for system in systems)} |"
    if reasons:
        yield ""
        yield " ".join(f"({place}) {reason}." for place, reason in enumerate(reasons, 1))


def _cell(run: Mapping[str, Any], reasons: Sequence[str]) -> str:
    if "reason" in run:
        return f"({reasons.index(run['reason']) + 1})"
    time = number(run["seconds"]["best"] * 1e3)
    return time if run["right"] else f"{time}, **{run['wrong_share']:.1%} wrong**"
