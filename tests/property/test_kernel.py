"""The kernel against a naive walk over lists, on stories long enough that whole blocks of events are passed over."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra import kernel as build
from vintner.bitemporal.kernel import Asking, Columns, FactIndex, native

NONE = 2**63 - 1
REASONS = {"answered": 0, "never_known": 1, "deleted": 2, "expired": 3}


@dataclass(frozen=True)
class Fact:
    key: int
    event: int
    known: int
    seq: int
    system: int
    dead: bool


@dataclass(frozen=True)
class Question:
    key: int
    time: int
    known: int
    system: int


@dataclass(frozen=True)
class Story:
    facts: list[Fact]
    questions: list[Question]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Long series of few entities; the lag of knowledge, the share of deletions and the order vary."""
    dice = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311 - a seeded story, not a secret
    count, keys = draw(st.sampled_from((400, 200, 150, 70, 5, 1, 0))), draw(st.integers(1, 3))
    lag = draw(st.sampled_from((1, 30, 1_000)))
    deletions = draw(st.sampled_from((0.0, 0.05, 0.9)))
    again = draw(st.sampled_from((0.0, 0.3, 2.0)))
    facts = {}
    for _ in range(int(count * (1 + again))):
        key, event = dice.randrange(keys), dice.randrange(max(count, 1))
        known = event + dice.randint(-lag // 3, lag)
        fact = Fact(key, event, known, dice.randrange(2), known + dice.randrange(20), dice.random() < deletions)
        facts[fact.key, fact.event, fact.known, fact.seq] = fact
    purged = draw(st.sampled_from((None, None, count // 2, count + 5)))
    if purged is not None:  # everything is withdrawn at one instant; word of it is written down a little later
        for fact in list(facts.values()):
            facts[fact.key, fact.event, purged, 3] = Fact(
                fact.key, fact.event, purged, 3, purged + dice.randrange(5), True
            )
    kept = list(facts.values())
    dice.shuffle(kept)
    if draw(st.booleans()):
        kept.sort(key=lambda fact: (fact.event, fact.known, fact.seq))
    # Cuts at, and next to, the instants something became known or was written: where bounds are off by one, it shows.
    learned = [fact.known for fact in kept] or [0]
    written = [fact.system for fact in kept] or [0]
    questions = [
        Question(
            dice.randint(-1, keys - 1),
            dice.randint(-2, count + 2),
            dice.choice(learned) + dice.choice((-1, 0, 0, 1)),
            dice.choice(written) + dice.choice((-1, 0, 0)),
        )
        for _ in range(60)
    ]
    if draw(st.booleans()):
        questions.sort(key=lambda question: question.time)
    return Story(kept, questions)


def live(story: Story, question: Question, known: int, system: int) -> tuple[list[int], bool]:
    """The rows of the facts that exist, oldest event first, and whether any was deleted."""
    winners: dict[int, int] = {}
    for row, fact in enumerate(story.facts):
        if fact.key != question.key or fact.event > question.time or fact.known > known or fact.system > system:
            continue
        other = winners.get(fact.event)
        if other is None or (fact.known, fact.seq) > (story.facts[other].known, story.facts[other].seq):
            winners[fact.event] = row
    rows = [winners[event] for event in sorted(winners)]
    return [row for row in rows if not story.facts[row].dead], any(story.facts[row].dead for row in rows)


def index_of(story: Story, *, per_row_system: bool) -> FactIndex:
    def column(name: str, kind: pa.DataType) -> pa.Array:
        return pa.array([getattr(fact, name) for fact in story.facts], kind)

    whole = {name: column(name, pa.int64()) for name in ("event", "known", "seq", "system")}
    columns = Columns(keys=3, key=column("key", pa.int32()), dead=column("dead", pa.bool_()), **whole)
    return FactIndex(columns, per_row_system=per_row_system)


def asking(story: Story, *, known: bool, system: bool, ttl: int, delay: int) -> Asking:
    def column(name: str, kind: pa.DataType) -> pa.Array:
        return pa.array([getattr(question, name) for question in story.questions], kind)

    time = column("time", pa.int64())
    return Asking(
        code=column("key", pa.int32()),
        key_of=None,
        time=time,
        known=column("known", pa.int64()) if known else time,
        system=column("system", pa.int64()) if system else None,
        ttl=ttl,
        delay=delay,
    )


@settings(max_examples=300, deadline=None)
@given(
    story=stories(),
    known=st.booleans(),
    system=st.booleans(),
    ttl=st.sampled_from((NONE, 0, 3, 100)),
    delay=st.sampled_from((0, 2)),
)
def test_look_up_is_a_naive_walk(story: Story, known: bool, system: bool, ttl: int, delay: int) -> None:
    asked = asking(story, known=known, system=system, ttl=ttl, delay=delay)
    index = index_of(story, per_row_system=system)
    answers, quick = index.look_up(asked, reasons=True), index.look_up(asked)
    expected: list[tuple[int | None, int]] = []
    for question in story.questions:
        cut = (question.known if known else question.time) - delay
        rows, deleted = live(story, question, cut, question.system if system else NONE)
        if not rows:
            expected.append((None, REASONS["deleted" if deleted else "never_known"]))
        elif question.time - story.facts[rows[-1]].event > ttl:
            expected.append((None, REASONS["expired"]))
        else:
            expected.append((rows[-1], REASONS["answered"]))
    assert answers.reasons is not None
    assert list(zip(answers.rows.to_pylist(), answers.reasons.to_pylist(), strict=True)) == expected
    assert quick.rows.equals(answers.rows)
    answers.rows.validate(full=True)


@settings(max_examples=100, deadline=None)
@given(
    story=stories(),
    system=st.booleans(),
    ttl=st.sampled_from((NONE, 40)),
    last=st.sampled_from((NONE, 1, 3)),
    span=st.sampled_from((NONE, 0, 1, 50)),
)
def test_windows_are_a_naive_walk(story: Story, system: bool, ttl: int, last: int, span: int) -> None:
    asked = asking(story, known=True, system=system, ttl=ttl, delay=0)
    windows = index_of(story, per_row_system=system).windows(asked, last=last, span=span)
    offsets, members = windows.offsets.to_pylist(), windows.members.to_pylist()
    for at, question in enumerate(story.questions):
        rows, _ = live(story, question, question.known, question.system if system else NONE)
        ages = {row: question.time - story.facts[row].event for row in rows}
        young = [row for row in rows if ages[row] <= ttl and (span == NONE or ages[row] < span)]
        assert members[offsets[at] : offsets[at + 1]] == young[-last:]


@settings(max_examples=60, deadline=None)
@given(story=stories(), after=st.integers(-2, 400))
def test_vintage_and_next_are_a_naive_walk(story: Story, after: int) -> None:
    index = index_of(story, per_row_system=False)
    facts = [live(story, Question(key, NONE, NONE, NONE), NONE, NONE)[0] for key in range(3)]
    assert index.vintage().to_pylist() == [row for rows in facts for row in rows]
    coming = [[row for row in rows if story.facts[row].event > after][:1] for rows in facts]
    assert index.next_after(after).to_pylist() == [row for rows in coming for row in rows]


def test_twins_are_told_in_pairs() -> None:
    fact = Fact(0, 1, 2, 0, 9, False)
    other = Fact(0, 1, 3, 0, 9, False)
    index = index_of(Story([fact, other, fact, other, fact], []), per_row_system=False)
    assert index.twins.to_pylist() == [
        {"first": 0, "again": 2},
        {"first": 0, "again": 4},
        {"first": 1, "again": 3},
    ]


def test_many_twins_are_all_told() -> None:
    """More than there is room for at first: the kernel says how many, and is asked again."""
    story = Story([Fact(0, event, event, 0, again, False) for again in range(3) for event in range(40)], [])
    twins = index_of(story, per_row_system=False).twins.to_pylist()
    assert twins == [{"first": event, "again": event + 40 * again} for event in range(40) for again in (1, 2)]


def test_the_build_and_the_loader_agree_on_names() -> None:
    for system, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")):
        assert build.file_name(system, machine) == native.file_name(system, machine)
    assert (build.SOURCES / build.file_name()).exists()


def use_kernels_of(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(native, "__file__", str(folder / "native.py"))
    native.library.cache_clear()


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch
    native.library.cache_clear()


def test_a_missing_kernel_says_how_to_get_it(tmp_path: Path, patch: pytest.MonkeyPatch) -> None:
    use_kernels_of(tmp_path, patch)
    with pytest.raises(native.KernelMissingError) as caught:
        native.library()
    assert "make env" in str(caught.value)


def test_no_behaviour_is_undefined(tmp_path: Path, patch: pytest.MonkeyPatch) -> None:
    """The same walks on a build that stops at undefined behaviour: overflow, misalignment, shifts, bounds."""
    build.build(folder=tmp_path, checked=True)
    use_kernels_of(tmp_path, patch)
    assert native.library()._name == str(tmp_path / native.file_name())
    test_look_up_is_a_naive_walk()
    test_windows_are_a_naive_walk()
    test_vintage_and_next_are_a_naive_walk()
