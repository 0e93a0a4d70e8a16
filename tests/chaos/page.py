"""The page of a run: each fault, how often it was injected, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FATES: Mapping[str, str] = {
    "delivered twice": "kept once: known by producer and number",
    "told by a second feed": "kept as one fact with two witnesses, counted once",
    "out of order": "kept, bars and gaps as if in order",
    "delivered out of order": "kept: the hole in the numbers is filled when it comes",
    "late by minutes": "kept; its bars are told again",
    "late by days": "kept; merged into the bars the lake holds",
    "corrupted bytes": "the delivery is kept whole in quarantine, what it held is had again",
    "schema too new": "the delivery is kept whole until a consumer knows it",
    "producer restarted": "its new life counts anew",
    "shard split": "lanes follow their shard with their state",
    "shards merged": "lanes follow their shard with their state",
    "mapping answer lost": "the batch comes again and changes nothing",
}
_BY_WORD: Mapping[str, str] = {
    "throttled": "tried again",
    "unreachable": "tried again",
    "answer lost": "done again, identically",
    "killed": "another process restores the state and does it again",
    "crash": "another process finds what was committed and does the rest",
    "conflict": "the table itself is asked what became of the commit",
}


def page_of(found: Mapping[str, Any]) -> str:
    """Return the page of an outcome, as Markdown."""
    lines = [
        "# Everything goes wrong at once",
        "",
        f"`python -m tests.chaos --trades {found['asked']}` sends the trades of 120 instruments through the processor,",
        "the landers of trades, bars and features, and the ledger of gaps, while everything below goes wrong; then it",
        "compares what is kept with what was sent. The code is the platform's; streams, claims, snapshots and files of",
        "the lake are in memory and fail on purpose (`tests/chaos`).",
        "",
        "## What was kept",
        "",
        "| | expected | lost | doubled | different |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, told in found["compared"].items():
        counts = " | ".join(f"{told[key]:,}" for key in ("expected", "lost", "doubled", "different"))
        lines.append(f"| {found['subjects'][name]} | {counts} |")
    lines += ["", "## What went wrong", "", "| fault | injected | what came of it |", "| --- | ---: | --- |"]
    lines += [f"| {fault} | {count:,} | {_fate(fault)} |" for fault, count in found["injected"].items()]
    lines += ["", "## What was refused", "", "| rule | injected | in quarantine |", "| --- | ---: | ---: |"]
    lines += [f"| {rule} | {told['injected']:,} | {told['kept']:,} |" for rule, told in found["refused"].items()]
    invoked, failed = sum(found["invocations"].values()), sum(found["failed_invocations"].values())
    lines += [
        "",
        f"Of {invoked:,} invocations {failed:,} were killed or failed, and were done again. What no consumer could",
        f"read ({found['sent_again_after_repair']:,} trades) was sent again at the end, as a repair does.",
        "",
    ]
    return "\n".join(lines)


def _fate(fault: str) -> str:
    return _FATES.get(fault) or next(fate for word, fate in _BY_WORD.items() if word in fault)
