"""Dead letters from the command line: ``python -m vintner.aws dead-letters list | show | redrive | discard | process``.

``redrive`` does the work itself and tells what came of it; ``process`` does what the function does each minute. Every
command may be stopped and given again, and run beside the function.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any, Final

from vintner.aws.dead_letters import (
    Asked,
    DeadLettersFailedError,
    DeadLettersSettings,
    make_processor,
    now,
    open_store,
    run_dead_letters,
)
from vintner.aws.dead_letters_sources import object_reader
from vintner.aws.settings import Settings
from vintner.errors import VintnerError
from vintner.messaging.deadletters import (
    Cause,
    Desk,
    Letter,
    LetterFilter,
    LetterState,
    preview,
    shown,
    shown_step,
)

NAME: Final = "dead-letters"
Rows = list[dict[str, Any]]
_LIMIT: Final = 50


class LetterChoiceError(VintnerError, ValueError):
    """It is not said which letters are meant."""

    template = "say which letters are meant: an id, or one of --stream, --function, --cause, --rule"


def add_to(commands: Any) -> None:
    """Add ``dead-letters`` and its commands to a parser's."""
    text = "list, show, redrive, discard and process what could not be processed"
    actions = commands.add_parser(NAME, help=text, description=__doc__).add_subparsers(dest="action", required=True)
    for name, (_, told) in ACTIONS.items():
        action = actions.add_parser(name, help=told, description=told)
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print rows as JSON")
        if name in ("show", "discard"):
            action.add_argument("letter", help="id of the letter")
        if name == "redrive":
            action.add_argument("letter", nargs="?", help="id of the letter; without one, those the options mean")
            action.add_argument("--dry-run", action="store_true", help="tell which are meant, and change nothing")
        if name in ("list", "redrive"):
            _add_filter(action)
        if name == "list":
            action.add_argument("--next", help="mark that the last page ended with")
        if name in ("redrive", "discard"):
            action.add_argument("--author", required=True, help="who does it")
            action.add_argument("--reason", required=True, help="why")


def run(chosen: argparse.Namespace) -> Rows:
    """Run a command; return rows to print."""
    does, _ = ACTIONS[chosen.action]
    return does(Settings.from_environment(), DeadLettersSettings.from_environment(), chosen)


def show_list(settings: Settings, where: DeadLettersSettings, chosen: argparse.Namespace) -> Rows:
    """List letters: those that want a person first, the oldest of a state first."""
    page = open_store(settings, where).page(_filter(chosen), limit=chosen.limit, after=chosen.next)
    rows = _rows(page.letters)
    return [*rows, {"next": page.next}] if page.next else rows


def show_one(settings: Settings, where: DeadLettersSettings, chosen: argparse.Namespace) -> Rows:
    """Show a letter, what failed, and every step so far."""
    store = open_store(settings, where)
    letter, steps = store.get(chosen.letter), [shown_step(step) for step in store.history(chosen.letter)]
    failed = preview(letter, store.payload(letter.id), object_reader(where.dead_letters_bucket))
    if chosen.json:
        return [shown(letter) | {"payload": failed, "history": steps}]
    facts = [{"letter": name, "is": value} for name, value in shown(letter).items() if value not in (None, "")]
    told = [{"payload": name, "is": value} for name, value in failed.items()]
    return [*facts, *told, *({name: _plain(value) for name, value in step.items()} for step in steps)]


def redrive(settings: Settings, where: DeadLettersSettings, chosen: argparse.Namespace) -> Rows:
    """Have letters tried again, now, and tell what came of it."""
    store, who = open_store(settings, where), f"command: {chosen.author}"
    desk = Desk(store, clock=now)
    if chosen.letter and chosen.dry_run:
        return _rows([store.get(chosen.letter)])
    meant = [desk.ask(chosen.letter, who=who, why=chosen.reason)] if chosen.letter else _ask_all(desk, chosen, who)
    if chosen.dry_run:
        return _rows(meant)
    processor = make_processor(store, settings, where, who=who)
    processor.work_on([letter.id for letter in meant], has_time=lambda: True)
    if processor.report.errors:
        raise DeadLettersFailedError(failed=processor.report.errors)
    return _rows(store.get(letter.id) for letter in meant)


def discard(settings: Settings, where: DeadLettersSettings, chosen: argparse.Namespace) -> Rows:
    """Give a letter up, for a reason; its payload and history are kept."""
    desk = Desk(open_store(settings, where), clock=now)
    return _rows([desk.discard(chosen.letter, who=f"command: {chosen.author}", why=chosen.reason)])


def process(settings: Settings, where: DeadLettersSettings, chosen: argparse.Namespace) -> Rows:  # noqa: ARG001
    """Take in what came, work on what is due, as the function does each minute."""
    store = open_store(settings, where)
    processor = make_processor(store, settings, where, who="command")
    failed = run_dead_letters(processor, store, settings, where, Asked(), has_time=lambda: True)
    if failed:
        raise DeadLettersFailedError(failed=failed)
    return [{"what": name, "letters": count} for name, count in processor.report.counts.items()]


ACTIONS: Final[dict[str, tuple[Callable[[Settings, DeadLettersSettings, argparse.Namespace], Rows], str]]] = {
    "list": (show_list, "list letters, those that want a person first"),
    "show": (show_one, "show a letter, what failed, and every step so far"),
    "redrive": (redrive, "have letters tried again, now"),
    "discard": (discard, "give a letter up, for a reason"),
    "process": (process, "take in what came and work on what is due, as the function does each minute"),
}


def _ask_all(desk: Desk, chosen: argparse.Namespace, who: str) -> list[Letter]:
    wanted = _filter(chosen, state=LetterState.PARKED)
    if not any((wanted.stream, wanted.function, wanted.cause, wanted.rule)):
        raise LetterChoiceError
    return desk.ask_all(wanted, limit=chosen.limit, who=who, why=chosen.reason, dry_run=chosen.dry_run)


def _add_filter(action: argparse.ArgumentParser) -> None:
    action.add_argument("--state", choices=[state.value for state in LetterState], help="only letters in this state")
    action.add_argument("--cause", choices=[cause.value for cause in Cause], help="only letters with this cause")
    action.add_argument("--stream", help="only letters of this stream")
    action.add_argument("--function", help="only letters of this function")
    action.add_argument("--rule", help="only letters that broke this rule")
    action.add_argument("--limit", type=int, default=_LIMIT, help=f"at most so many; by default {_LIMIT}")


def _filter(chosen: argparse.Namespace, *, state: LetterState | None = None) -> LetterFilter:
    return LetterFilter(
        state=LetterState(chosen.state) if chosen.state else state,
        cause=Cause(chosen.cause) if chosen.cause else None,
        stream=chosen.stream,
        function=chosen.function,
        rule=chosen.rule,
    )


def _rows(letters: Iterable[Letter]) -> Rows:
    names = ("id", "state", "cause", "kind", "stream", "rule", "attempts", "since", "reason")
    return [{name: _plain(told[name]) for name in names} for told in map(shown, letters)]


def _plain(value: Any) -> Any:
    return "" if value is None else value
