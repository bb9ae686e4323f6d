"""From the rows of a file or of the ledger to a history that can be replayed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from random import Random

from allocation.simulate.types import Event, History, Line, Movement, Stream, Unusable, Way
from allocation.types import Rules

IN_TRANSIT = "IN-TRANSIT"
_MINUTE_S = 60.0
_WAYS = {
    "return": Way.PLAIN,
    "receipt": Way.PLAIN,
    "opening": Way.PLAIN,
    "adjustment": Way.PLAIN,
    "count": Way.PLAIN,
    "write_off": Way.PLAIN,
    "reservation": Way.PLAIN,
    "release": Way.PLAIN,
    "transfer_ship": Way.SHIP,
    "transfer_receive": Way.RECEIVE,
    "order_cancel": Way.CANCEL,
}
#: (SKU, location) -> units at the start
Opening = Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Row:
    """One event as it was written down.

    where      for messages, as in `events.csv:17`
    key        of the event; a cancel names the order line's in `ref`
    units      signed effect on what can be sold at the location
    order      lines of one order happen at the same moment
    """

    where: str
    key: str
    at: datetime
    kind: str
    channel: str
    location: str
    sku: str
    units: int
    order: str = ""
    ref: str = ""
    price: Decimal | None = None


def rows_of(lines: Iterable[Mapping[str, str]], file: str) -> Iterator[Row]:
    """The rows of an events file.

    lines     of a CSV file with the columns that `lockstep history import` reads, after its first line
    raises    Unusable with file, line and remedy
    """
    for number, line in enumerate(lines, 2):
        where = f"{file}:{number}"
        yield Row(
            where=where,
            key=line["event_id"],
            at=_moment(line["occurred_at"], where),
            kind=line["event_type"],
            channel=line.get("channel") or "",
            location=line["location_id"],
            sku=line["sku"],
            units=_whole(line["quantity_delta"], where, "quantity_delta"),
            order=line.get("order_id") or "",
            ref=line.get("ref") or "",
            price=_price(line.get("unit_price") or "", where),
        )


def opening_of(lines: Iterable[Mapping[str, str]], file: str, rules: Rules) -> Opening:
    """Opening balances of a file with the columns sku, location_id, opening; what is in transit is left out."""
    opening: dict[tuple[str, str], int] = {}
    for number, line in enumerate(lines, 2):
        where = f"{file}:{number}"
        if line["location_id"] == IN_TRANSIT:
            continue
        _known(line["location_id"], rules, where)
        units = _whole(line["opening"], where, "opening")
        opening[line["sku"], line["location_id"]] = units
    return opening


def least_opening(rows: Iterable[Row]) -> Opening:
    """The least that each location can have held: what was sold or sent must have been there."""
    units: dict[tuple[str, str], int] = {}
    least: dict[tuple[str, str], int] = {}
    for row in sorted(rows, key=lambda row: row.at):
        place = row.sku, row.location
        units[place] = units.get(place, 0) + row.units
        least[place] = min(least.get(place, 0), units[place])
    return {place: -low for place, low in least.items()}


def history_of(rows: Sequence[Row], opening: Opening, rules: Rules, seed: int) -> History:
    """The history that the rows tell.

    seed      spreads what is written down to the minute over its minute, order by order
    raises    Unusable for no rows at all, a kind, channel or location that is not known, an order of no units
    """
    if not rows:
        raise Unusable("there are no events: nothing to simulate")
    start = min(row.at for row in rows).replace(hour=0, minute=0, second=0, microsecond=0)
    to_the_minute = all(row.at.second == 0 and row.at.microsecond == 0 for row in rows)
    channels = {channel.name for channel in rules.channels}
    lines = {row.key for row in rows if row.kind == "order"}
    spread: dict[str, float] = {}
    events: dict[str, list[Event]] = {}
    last = 0.0
    for row in rows:
        at = (row.at - start).total_seconds()
        if to_the_minute and row.channel:
            order = row.order or row.key
            if order not in spread:
                spread[order] = _MINUTE_S * Random(f"{seed}:{order}").random()
            at += spread[order]
        events.setdefault(row.sku, []).append(_event(row, at, rules, channels, lines))
        last = max(last, at)
    held: dict[str, dict[str, int]] = {sku: {} for sku in events}
    for (sku, location), units in opening.items():
        if sku in held:
            held[sku][location] = units
    streams = [
        Stream(sku, held[sku], tuple(sorted(events[sku], key=lambda event: event.at)))
        for sku in sorted(events)
    ]
    return History(start, last + _MINUTE_S, streams)


def scarcer(history: History, skus: int, percent: int) -> History:
    """The same history with less at the start of those SKUs that most units were wanted of."""
    wanted = {
        stream.sku: sum(event.units for event in stream.events if isinstance(event, Line))
        for stream in history.streams
    }
    best = set(sorted(wanted, key=lambda sku: (-wanted[sku], sku))[:skus])
    streams = [_scarcer(s, percent) if s.sku in best else s for s in history.streams]
    return replace(history, streams=streams)


def _scarcer(stream: Stream, percent: int) -> Stream:
    left = 100 - percent
    return replace(
        stream, opening={at: max(0, u) * left // 100 for at, u in stream.opening.items()}
    )


def _event(row: Row, at: float, rules: Rules, channels: set[str], lines: set[str]) -> Event:
    _known(row.location, rules, row.where)
    if row.kind != "order":
        if row.kind not in _WAYS:
            known = ", ".join(["order", *_WAYS])
            raise Unusable(f"{row.where}: event type {row.kind!r} is not known; known: {known}")
        return Movement(at, row.location, row.units, _way(row, lines), row.ref, row.kind)
    if row.channel not in channels:
        raise Unusable(
            f"{row.where}: channel {row.channel!r} is not in the rules; known: {', '.join(sorted(channels))}."
            " Correct the row, or add the channel to the rule file"
        )
    if row.units >= 0:
        raise Unusable(
            f"{row.where}: an order of {-row.units} units; quantity_delta of an order is below 0"
        )
    return Line(at, row.key, row.channel, row.location, -row.units, row.price)


def _way(row: Row, lines: set[str]) -> Way:
    """A leg without a transfer, a cancel of an older order, what has the wrong sign: movements like any other."""
    way = _WAYS[row.kind]
    if way is Way.CANCEL and row.ref not in lines:
        return Way.PLAIN
    goes_out = way is Way.SHIP
    return way if row.ref and (row.units < 0) == goes_out else Way.PLAIN


def _known(location: str, rules: Rules, where: str) -> None:
    if location not in rules.locations:
        raise Unusable(
            f"{where}: location {location!r} is not in the rules; known: {', '.join(sorted(rules.locations))}."
            " Correct the row, or add the location to the rule file"
        )


def _moment(said: str, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        raise Unusable(
            f"{where}: occurred_at {said!r} is no time; write it as 2011-05-01T10:51:00"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _whole(said: str, where: str, column: str) -> int:
    try:
        return int(said)
    except ValueError:
        raise Unusable(f"{where}: {column} {said!r} is no whole number; correct the row") from None


def _price(said: str, where: str) -> Decimal | None:
    try:
        return Decimal(said) if said else None
    except InvalidOperation:
        raise Unusable(
            f"{where}: unit_price {said!r} is no number; correct it, or leave it empty"
        ) from None
