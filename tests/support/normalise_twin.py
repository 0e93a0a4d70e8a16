"""Normalisation once more, row by row and obvious: what the fast one has to equal. Instants are epoch microseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from vintner.marketdata.venues import LiquidityTicks, TickTable, Venue, Venues

Row = Mapping[str, Any]

CLOCKS: Final = ("event_time", "received_at", "arrived_at", "knowledge_time", "ingested_at")
YEAR_2200: Final = 7_258_118_400_000_000


class Broken(Exception):  # noqa: N818 - a refusal is an answer here
    """The first rule a row breaks: field, rule."""


def plain(table: pa.Table) -> list[dict[str, Any]]:
    """Return rows with their instants as epoch microseconds."""
    for name in CLOCKS:
        if name in table.schema.names:
            place = table.schema.get_field_index(name)
            table = table.set_column(place, name, table[name].cast(pa.int64()))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


@dataclass(frozen=True)
class Twin:
    """What records are judged by."""

    facts: Sequence[Row]
    venues: Venues
    calendars: Mapping[str, int]

    def trades(self, rows: Sequence[Row]) -> tuple[list[dict[str, Any]], list[tuple[int, str, str]]]:
        return self._each(rows, self._trade)

    def quotes(self, rows: Sequence[Row]) -> tuple[list[dict[str, Any]], list[tuple[int, str, str]]]:
        return self._each(rows, self._quote)

    def _each(self, rows, judge) -> tuple[list[dict[str, Any]], list[tuple[int, str, str]]]:
        kept, refused, seen = [], [], set()
        for position, row in enumerate(rows):
            number = "trade_id" if "trade_id" in row else "update_id"
            key = (row.get("delivery"), row["venue"], row["symbol"], row[number])
            try:
                added = judge(row)
            except Broken as broken:
                refused.append((position, *broken.args))
            else:
                if "delivery" in row and key in seen:
                    refused.append((position, number, "twice in one delivery"))
                else:
                    kept.append({**row, **added, "position": position})
            seen.add(key)
        return kept, refused

    def _trade(self, row: Row) -> dict[str, Any]:
        venue, told, common = self._common(row, "trade_id", "price", "size")
        if row["aggressor"] not in (None, "buy", "sell"):
            raise Broken("aggressor", "unknown side")
        counts, closing = self._counts(row["conditions"], venue, told)
        tick = told.get("tick") if venue.trades_on_tick else None
        check_price(row["price"], "price", venue, told, tick or tick_of(venue.trade_ticks, told, row["price"]))
        check_size(row["size"], "size", venue, told, zero_is_fine=not counts & 4)
        return {
            **common,
            "bar_rules": counts,
            "is_close": closing,
            "side": {"buy": 1, "sell": -1, None: 0}[row["aggressor"]],
            "dense": venue.dense,
        }

    def _quote(self, row: Row) -> dict[str, Any]:
        venue, told, common = self._common(row, "update_id")
        for side in ("bid", "ask"):
            price, size = row[side], row[f"{side}_size"]
            if price is None and size is not None:
                raise Broken(side, "half a side")
            if size is None and price is not None:
                raise Broken(f"{side}_size", "half a side")
            if price is not None:
                tick = told.get("tick") or tick_of(venue.quote_ticks, told, price)
                check_price(price, side, venue, told, tick)
                check_size(size, f"{side}_size", venue, told)
        both = row["bid"] is not None and row["ask"] is not None
        if both and row["bid"] >= row["ask"] and not venue.may_cross:
            raise Broken("bid", "crossed quote")
        return common

    def _common(self, row: Row, number: str, *required: str) -> tuple[Venue, Row, dict[str, Any]]:
        for field in ("venue", "symbol", number, "event_time", "received_at", *required):
            if row[field] is None:
                raise Broken(field, "missing required field")
        for field in ("event_time", "received_at"):
            if not 0 <= row[field] < YEAR_2200:
                raise Broken(field, "instant out of range")
        venue, symbol = self.venues.get(row["venue"]), row["symbol"]
        if venue is None:
            raise Broken("venue", "unknown venue")
        if not symbol or len(symbol) > 64 or not all(one.isprintable() and not one.isspace() for one in symbol):
            raise Broken("symbol", "malformed symbol")
        if row[number] < 0:
            raise Broken(number, "negative number")
        check_clocks(row, venue)
        known = max(row["event_time"], row["received_at"])
        told = self._told(f"{venue.code}/{symbol}", row["event_time"], known)
        instrument = told.get("instrument") or (f"{symbol}@{venue.code}" if venue.self_named else None)
        if instrument is None:
            raise Broken("symbol", "unknown symbol at that time")
        calendar = -1 if venue.calendar is None else self.calendars[venue.calendar]
        return venue, told, {"instrument": instrument, "knowledge_time": known, "calendar": calendar}

    def _told(self, entity: str, event: int, known: int) -> Row:
        """Of each event the newest version known by then; without the deleted ones; of those the newest event."""
        winners: dict[int, Row] = {}
        for fact in self.facts:
            if fact["entity"] == entity and fact["knowledge_time"] <= known:
                rank = (fact["knowledge_time"], fact["revision_seq"])
                best = winners.get(fact["event_time"])
                if best is None or rank > (best["knowledge_time"], best["revision_seq"]):
                    winners[fact["event_time"]] = fact
        there = [fact for fact in winners.values() if fact["op"] == "upsert" and fact["event_time"] <= event]
        return max(there, key=lambda fact: fact["event_time"]) if there else {}

    def _counts(self, conditions: str | None, venue: Venue, told: Row) -> tuple[int, bool]:
        table = venue.conditions.codes if venue.conditions else None
        if told.get("conditions"):
            named = self.venues.tables.get(told["conditions"])
            table = named.codes if named else {}
        counts, closing = 7, False
        for code in conditions or "":
            if table is None or code == " ":
                continue
            if code not in table:
                raise Broken("conditions", "unknown condition")
            condition = table[code]
            counts &= condition.market_center if venue.scope == "market center" else condition.consolidated
            closing |= condition.closing
        return counts, closing


def check_clocks(row: Row, venue: Venue) -> None:
    event, received, arrived = row["event_time"], row["received_at"], row["arrived_at"]
    if event - received > venue.event_ahead.total_seconds() * 1e6:
        raise Broken("event_time", "event in the future")
    if received - event > venue.lateness.total_seconds() * 1e6:
        raise Broken("event_time", "event too old")
    if arrived is not None and received - arrived > venue.receive_ahead.total_seconds() * 1e6:
        raise Broken("received_at", "receive clock ahead")


def tick_of(ticks: TickTable | LiquidityTicks | None, told: Row, price: Decimal) -> Decimal | None:
    if isinstance(ticks, LiquidityTicks):
        band = told.get("liquidity_band")
        ticks = ticks.tables[band - 1] if band is not None and 1 <= band <= 6 else None
    if ticks is None:
        return None
    reached = [tick for start, tick in ticks.bands if start <= price]
    return reached[-1] if reached else ticks.bands[0][1]


def check_price(price: Decimal, field: str, venue: Venue, told: Row, tick: Decimal | None) -> None:
    if price <= 0:
        raise Broken(field, "not positive")
    if price > venue.most_price:
        raise Broken(field, "absurdly large")
    if (told.get("least_price") or price) > price or (told.get("most_price") or price) < price:
        raise Broken(field, "outside the symbol's range")
    if tick is not None and price % tick:
        raise Broken(field, "off tick")


def check_size(size: Decimal, field: str, venue: Venue, told: Row, *, zero_is_fine: bool = False) -> None:
    if size < 0 or (size == 0 and not zero_is_fine):
        raise Broken(field, "not positive")
    if size > venue.most_size:
        raise Broken(field, "absurdly large")
    if told.get("lot") and size % told["lot"]:
        raise Broken(field, "off lot")
