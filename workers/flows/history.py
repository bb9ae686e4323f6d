"""Historical events through the real door: inbox, drain, ledger; then the closing balances must tie out to the unit.

Files are CSV, plain or gzipped. Events: seq, event_id, occurred_at, event_type, channel, location_id, sku,
quantity_delta (signed effect on what is free to sell at that location; of `expected` and `pull_forward` the units as
they stand), order_id, line_no, ..., reason_code, reason_text, ref, due_at. Balances: sku, location_id, opening,
closing; the location IN-TRANSIT is what was on its way.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, text

from ledger import catalogue, inbox
from ledger.db import transaction
from ledger.events import is_name
from ledger.inbox import FACT_TOPIC, Delivery
from ledger.separated import separator
from ledger.types import IN_TRANSIT
from workers.flows.disturb import Arrival, disturb
from workers.flows.ingest import HISTORY, Drained, House, drain
from workers.flows.receive import name_of

EVENT_COLUMNS = ("event_id", "occurred_at", "event_type", "location_id", "sku", "quantity_delta")
BALANCE_COLUMNS = ("sku", "location_id", "opening", "closing")
_CHUNK = 2000
_MOST = 2**53
#: Which sign the file's number has by rights.
_SIGN = {"order": -1, "write_off": -1, "order_cancel": 1, "return": 1, "receipt": 1, "opening": 1}
_UNEXPLAINED = "unexplained in the source"
#: Kinds whose signed number goes into this field as it is.
_CORRECTIONS = {"adjustment": "units", "count": "variance"}
#: Kinds whose number is of what is to come: nothing of it is for sale yet.
_TO_COME = {"expected", "pull_forward"}


class UnusableFile(Exception):
    """The file cannot be imported; the message says which, why and what to do."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where book and file disagree; units free to sell (on hand - committed), or in transit."""

    sku: str
    location: str
    expected: int
    actual: int


@dataclass(slots=True)
class Imported:
    """What an import came to; `lockstep history import --json` prints these fields."""

    events: int = 0
    applied: int = 0
    duplicates: int = 0
    parked: int = 0
    waiting: int = 0
    closing_units: int = 0
    closing_sha256: str = ""
    differences: int = 0
    seconds: float = 0.0
    events_per_s: float = 0.0
    seconds_before_last_settled: float = 0.0
    first_differences: list[Difference] = field(default_factory=list)
    first_parked: list[str] = field(default_factory=list)


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """The rows of a .csv or .csv.gz file.

    raises    UnusableFile when it cannot be read or lacks a column
    """
    try:
        with (gzip.open if path.suffix == ".gz" else open)(
            path, "rt", encoding="utf-8-sig", newline=""
        ) as lines:
            # A row that is cut short has empty fields, and is rejected by name for what it lacks.
            first = lines.readline()
            reader = csv.DictReader(chain([first], lines), restval="", delimiter=separator(first))
            missing = [c for c in columns if c not in (reader.fieldnames or [])]
            if missing:
                raise UnusableFile(
                    f"{path}: no column {', '.join(missing)}; its first line must name {', '.join(columns)}"
                )
            yield from reader
    except UnicodeDecodeError:
        raise UnusableFile(
            f"{path} cannot be read: it is not UTF-8: save it again as CSV UTF-8"
        ) from None
    except (OSError, EOFError, csv.Error) as error:
        raise UnusableFile(
            f"{path} cannot be read: {error}; give a .csv or .csv.gz file in UTF-8"
        ) from error


def facts_of(
    rows: Sequence[Mapping[str, str]], *, source: str, zone: tzinfo
) -> Iterator[dict[str, Any]]:
    """Each row as the JSON of a canonical fact; what cannot be understood goes on as it is, to be rejected by name."""
    orders = {row["event_id"]: row for row in rows if row["event_type"] == "order"}
    for row in rows:
        yield _fact(row, orders, source, zone)


def _fact(
    row: Mapping[str, str], orders: Mapping[str, Mapping[str, str]], source: str, zone: tzinfo
) -> dict[str, Any]:
    units = _number(row["quantity_delta"])
    fact: dict[str, Any] = {
        "kind": row["event_type"],
        "source": source,
        "id": row["event_id"],
        "occurred_at": _moment(row["occurred_at"], zone),
        "reference": row.get("ref") or "",
        "reason": " ".join(filter(None, (row.get("reason_code"), row.get("reason_text")))),
        "sku": row["sku"],
        "location": row["location_id"],
    }
    if not isinstance(units, int):
        return fact | {"units": units}
    return _signed(row, fact, units, orders)


def _signed(
    row: Mapping[str, str],
    fact: dict[str, Any],
    units: int,
    orders: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """The file's one signed number in each kind's own words."""
    kind = row["event_type"]
    if kind in _CORRECTIONS:
        return fact | {_CORRECTIONS[kind]: units, "reason": fact["reason"] or _UNEXPLAINED}
    if kind in {"transfer_ship", "transfer_receive"}:
        leg = "transfer_ship" if units < 0 else "transfer_receive"
        return fact | {"kind": leg, "units": abs(units)}
    if kind in _TO_COME:
        return fact | {"units": units, "due_at": row.get("due_at") or ""}
    if units * _SIGN.get(kind, 0) < 0:
        # A write-off that brings units back, a return that takes them: only a signed correction can say that.
        return fact | {
            "kind": "adjustment",
            "units": units,
            "reason": f"{kind} taken back: {fact['reason']}",
        }
    fact |= {"units": abs(units)}
    if kind == "order":
        return fact | _line_of(row)
    if kind == "order_cancel":
        return _cancel(row, fact, orders.get(row.get("ref") or ""))
    return fact | {"reason": fact["reason"] or _UNEXPLAINED} if kind == "write_off" else fact


def _cancel(
    row: Mapping[str, str], fact: dict[str, Any], order: Mapping[str, str] | None
) -> dict[str, Any]:
    """A cancel of an order in this file; one of an older order can only say that units came back."""
    if order is None or (order["sku"], order["location_id"]) != (row["sku"], row["location_id"]):
        return fact | {"kind": "return"}
    del fact["sku"], fact["location"]
    return fact | _line_of(order)


def _line_of(row: Mapping[str, str]) -> dict[str, str]:
    event_id = row["event_id"]
    return {
        "channel": row.get("channel") or "history",
        "order": row.get("order_id") or event_id,
        "line": row.get("line_no") or event_id,
    }


def _number(said: str) -> int | str:
    try:
        number = int(said)
    except ValueError:
        return said
    # What no JSON can carry goes on as text, to be rejected by name.
    return number if abs(number) <= _MOST else said


def _moment(said: str, zone: tzinfo) -> str:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return said
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).isoformat()


def _first_moment(facts: Sequence[Mapping[str, Any]], otherwise: datetime) -> str:
    """When the file begins; times that are none do not count."""
    moments: list[datetime] = []
    for fact in facts:
        with suppress(ValueError):
            moments.append(datetime.fromisoformat(fact["occurred_at"]))
    return min(moments, default=otherwise).isoformat()


def import_history(
    house: House,
    *,
    name: str,
    events: Path,
    opening: Path,
    tie_out: Path,
    seed: int | None,
    zone: tzinfo,
    clock: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Imported:
    """Import a file of events on top of opening balances and compare the closing ones.

    name       of the data set; its events' source is `history:<name>`, so a second import changes nothing
    seed       deliver some events twice, some late, some cancels before their orders (`flows.disturb`); None:
               as written
    zone       of times without an offset
    """
    source = HISTORY + name
    begun = clock()
    rows = list(read_rows(events, EVENT_COLUMNS))
    balances = list(read_rows(opening, BALANCE_COLUMNS))
    closing = list(read_rows(tie_out, BALANCE_COLUMNS))
    _refuse_unreadable(closing, tie_out)
    _fill_catalogue(house.engine, rows, balances)
    facts = list(facts_of(rows, source=source, zone=zone))
    arrivals = [
        Arrival(name_of(fact["id"]) or f"row:{number}", fact)
        for number, fact in enumerate(facts, 1)
    ]
    if seed is not None:
        arrivals = disturb(arrivals, seed=seed)
    first = _first_moment(facts, clock())
    openings = [Arrival(name_of(fact["id"]), fact) for fact in _openings(balances, source, first)]
    result = Imported(events=len(rows))
    started = clock()
    _deliver(house, source, openings, clock, lambda done: None)
    total = _deliver(house, source, arrivals, clock, lambda done: progress(done, len(arrivals)))
    result.seconds_before_last_settled = round((clock() - started).total_seconds(), 3)
    result.duplicates = total.duplicates
    result.applied = total.drained.applied - (total.duplicates - total.kept_once)
    _tie_out(house.engine, source, closing, result)
    result.seconds = round((clock() - begun).total_seconds(), 3)
    result.events_per_s = round(len(rows) / max(result.seconds_before_last_settled, 1e-9), 1)
    return result


@dataclass(slots=True)
class _Delivered:
    """Deliveries brought in: those the inbox had already (`kept_once`), and all repeats of a fact."""

    drained: Drained = field(default_factory=Drained)
    kept_once: int = 0

    @property
    def duplicates(self) -> int:
        return self.kept_once + self.drained.repeats


def _deliver(
    house: House,
    source: str,
    arrivals: Sequence[Arrival],
    clock: Callable[[], datetime],
    progress: Callable[[int], None],
) -> _Delivered:
    """Keep and drain at the same time, as a relay and a worker do: the next chunk is kept while this one is drained."""
    total = _Delivered()

    def keep(begin: int) -> inbox.Kept:
        deliveries = [
            Delivery(source, arrival.delivery_id, FACT_TOPIC, orjson.dumps(arrival.fact))
            for arrival in arrivals[begin : begin + _CHUNK]
        ]
        with transaction(house.engine) as connection:
            return inbox.keep(connection, deliveries, now=clock())

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="keep") as relay:
        begins = range(0, len(arrivals), _CHUNK)
        keeping = [relay.submit(keep, begin) for begin in begins]
        for begin, kept in zip(begins, keeping, strict=True):
            known = kept.result()
            total.kept_once += len(known.repeated) + len(known.differing)
            total.drained += drain(house, now=clock())
            progress(min(begin + _CHUNK, len(arrivals)))
    return total


def _fill_catalogue(
    engine: Engine, rows: Sequence[Mapping[str, str]], balances: Sequence[Mapping[str, str]]
) -> None:
    """History brings its catalogue with it: every SKU and location that either file names."""
    named = [*rows, *balances]
    with transaction(engine) as connection:
        catalogue.add_skus(connection, dict.fromkeys(_names({row["sku"] for row in named}), ""))
        catalogue.add_locations(
            connection, _names({row["location_id"] for row in named} - {IN_TRANSIT})
        )


def _names(said: set[str]) -> list[str]:
    """Those that the book can hold; the rows of the others are rejected by name."""
    return sorted(name for name in said if is_name(name))


def _refuse_unreadable(closing: Sequence[Mapping[str, str]], path: Path) -> None:
    """A closing balance that is no number can be compared with nothing."""
    for number, row in enumerate(closing, 2):
        if not isinstance(_number(row["closing"]), int):
            raise UnusableFile(
                f"{path}: line {number}: the closing balance of {row['sku']!r} is {row['closing']!r},"
                " which is no whole number"
            )


def _openings(
    balances: Sequence[Mapping[str, str]], source: str, at: str
) -> Iterator[dict[str, Any]]:
    for row in balances:
        units = _number(row["opening"])
        if units != 0:
            below_zero = isinstance(units, int) and units < 0
            yield {
                "kind": "adjustment" if below_zero else "opening",
                "reason": "opened below zero" if below_zero else "",
                "source": source,
                "id": f"opening:{row['sku']}:{row['location_id']}",
                "occurred_at": at,
                "sku": row["sku"],
                "location": row["location_id"],
                "units": units,
            }


_BOOK = text("""
    SELECT sku, location, sum(units)::bigint AS units
    FROM balance
    WHERE state IN ('available', 'unavailable', 'reserved', 'in_transit')
    GROUP BY sku, location
""")

_TROUBLE = text("""
    SELECT state, delivery_id, coalesce(error, 'waits for ' || wait_for) AS why, count(*) OVER (PARTITION BY state) AS n
    FROM inbox
    WHERE source = :source AND state IN ('parked', 'rejected', 'waiting')
    ORDER BY id
""")


def _tie_out(
    engine: Engine, source: str, closing: Sequence[Mapping[str, str]], result: Imported
) -> None:
    """Compare the book with the file, place by place."""
    with transaction(engine) as connection:
        book = {(row.sku, row.location): int(row.units) for row in connection.execute(_BOOK)}
        _list_trouble(connection, source, result)
    expected = {(row["sku"], row["location_id"]): _number(row["closing"]) for row in closing}
    places = sorted(expected.keys() | {place for place, units in book.items() if units})
    different = [p for p in places if expected.get(p, 0) != book.get(p, 0)]
    result.differences = len(different)
    result.first_differences = [
        Difference(
            sku, location, int(expected.get((sku, location), 0)), book.get((sku, location), 0)
        )
        for sku, location in different[:20]
    ]
    here = [place for place in places if place[1] != IN_TRANSIT]
    result.closing_units = sum(book.get(place, 0) for place in here)
    lines = "\n".join(f"{sku}|{location}|{book.get((sku, location), 0)}" for sku, location in here)
    result.closing_sha256 = hashlib.sha256(lines.encode()).hexdigest()


def _list_trouble(connection: Connection, source: str, result: Imported) -> None:
    for row in connection.execute(_TROUBLE, {"source": source}):
        if row.state == "waiting":
            result.waiting = row.n
        else:
            result.parked += 1
        if len(result.first_parked) < 20:
            result.first_parked.append(f"{row.delivery_id}: {row.why}")
