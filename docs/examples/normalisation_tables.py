"""The tables of docs/normalisation.md, from the declarations themselves: venues, rules, sale conditions."""

from collections.abc import Iterable

from vintner.marketdata.normalise import QUOTE_RULES, TRADE_RULES
from vintner.marketdata.venues import HIGH_LOW, OPEN_CLOSE, TAPES, VENUES, VOLUME, Scope, Ticks, Venue


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    titles = list(head)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [titles, ["---"] * len(titles), *rows])


def venues() -> str:
    """One line for each venue."""
    head = ("venue", "sessions", "trade ids", "symbols", "ticks of quotes", "ticks of trades", "conditions")
    return table(head, (venue_line(venue) for venue in VENUES))


def venue_line(venue: Venue) -> tuple[str, ...]:
    """What a venue declares, in words."""

    def ticks(rule: Ticks | None, own: bool) -> str:
        return rule.name if rule else "the symbol's" if own else "not checked"

    return (
        f"`{venue.code}`",
        venue.calendar or "round the clock",
        "without holes" if venue.dense else "any",
        "stand for themselves" if venue.self_named else "mapped as of time",
        ticks(venue.quote_ticks, own=True),
        ticks(venue.trade_ticks, own=venue.trades_on_tick),
        f"{venue.conditions.name}, {venue.scope}" if venue.conditions else "not read",
    )


def rules() -> str:
    """One line for each rule and remedy, with the fields it is about: those of trades, then what quotes add."""
    fields: dict[tuple[str, str], list[str]] = {}
    for rule in (*TRADE_RULES, *QUOTE_RULES):
        told = fields.setdefault((rule.rule, rule.remedy), [])
        if rule.field not in told:
            told.append(rule.field)
    return table(("rule", "field", "remedy"), ((rule, ", ".join(told), fix) for (rule, fix), told in fields.items()))


def conditions() -> str:
    """One line for each sale condition of each tape: what it counts for, at its market center and consolidated."""
    words = {OPEN_CLOSE: "open and close", HIGH_LOW: "high and low", VOLUME: "volume"}

    def counts(bits: int) -> str:
        return ", ".join(word for bit, word in words.items() if bits & bit) or "nothing"

    lines: dict[tuple[str, ...], list[str]] = {}
    for tape in TAPES.values():
        for one in tape.codes.values():
            scopes = (counts(one.counts(scope)) for scope in (Scope.MARKET_CENTER, Scope.CONSOLIDATED))
            name = f"{one.name} (closing print)" if one.closing else one.name
            lines.setdefault((f"`{one.code}`", name, *scopes), []).append(tape.name)
    rows = ((line[0], ", ".join(tapes), *line[1:]) for line, tapes in lines.items())
    return table(("code", "tape", "name", "counts at its market center for", "consolidated for"), rows)


TABLES = {"venues": venues, "rules": rules, "conditions": conditions}

if __name__ == "__main__":
    for name, made in TABLES.items():
        print(f"## {name}\n\n{made()}\n")
