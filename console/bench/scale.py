"""Growth: catalogues and books of several sizes. Time and memory grow no worse than linearly, hot work finds by index.

A catalogue is computed whole and SKU by SKU (`bench alloc` at each size). A book is grown through inbox and drain, a
part at a time; then single events, targets, claims and sweeps are worked while the server counts which large tables are
read from end to end. At the end what retention forgets is timed.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Engine, create_engine, text

from allocation import pushes
from channels.registry import LANES
from console.bench import alloc
from ledger import inbox
from ledger.context import Catalogue
from ledger.db import connect, transaction
from ledger.inbox import FACT_TOPIC, Delivery
from workers.flows import retention, sweep
from workers.flows.allocate import allocate
from workers.flows.ingest import House, drain
from workers.settings import Settings
from workers.wiring import now

#: What one more row may cost against the rows before it.
GOAL_GROWTH: Final = 1.5
#: What a process may grow by from the second part of a book to its last.
GOAL_GROWTH_MB: Final = 64.0
_PARTS: Final = 10
_CHUNK: Final = 2000
#: A table of so many rows must not be read from end to end by hot work.
_LARGE: Final = 10_000
_HOT: Final = 20
_GONE_S: Final = 10.0
_BOOK: Final = ("event", "posting", "inbox", "balance")
_PLACE: Final = "WH-1"
_CHANNELS: Final = ("shop", "market", "grocer", "till")

_SIZES = text("""
    SELECT c.relname AS name, pg_table_size(c.oid) AS rows_bytes, pg_indexes_size(c.oid) AS index_bytes
    FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relname = ANY(CAST(:names AS text[]))
""")

_SCANS = text("SELECT relname, seq_scan, n_live_tup FROM pg_stat_user_tables ORDER BY relname")

_SESSIONS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = :login"
)

_OLD_PUSHES = text("""
    INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, answered_at, outcome)
    SELECT 'old-' || n, 'shop', 'S' || lpad((1 + n % :skus)::text, 7, '0'), :place, n % 50, n, :at, :at, 'confirmed'
    FROM generate_series(1, :count) AS n
""")


def measure(
    fresh: Callable[[], AbstractContextManager[Settings]],
    *,
    skus: Sequence[int],
    events: int,
    processes: int = 2,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Every catalogue in a house of its own, then a book over the smallest.

    fresh     settings that name an empty, migrated database
    skus      sizes, ascending
    events    of the book in the end
    """
    result: dict[str, Any] = {"catalogues": [], "machine": _machine()}
    # The smallest once more at the end: what the machine did meanwhile tells on both sides of the comparison.
    for size in (*skus, skus[0]) if len(skus) > 1 else skus:
        with fresh() as settings:
            say(f"a catalogue of {size:,} SKUs")
            result["catalogues"].append(_catalogue(settings, size, processes, say))
    with fresh() as settings:
        say(f"a book of {events:,} events")
        result["book"] = _book(settings, skus[0], events, say)
        result["durability"] = _server(settings)
    result["growth"] = growth_of(result["catalogues"])
    result["goals"] = {"growth": GOAL_GROWTH, "growth_mb": GOAL_GROWTH_MB}
    result["passed"] = passed(result)
    return result


def passed(result: dict[str, Any]) -> bool:
    """Whether nothing grew faster than what it is made of, and no large table was read from end to end."""
    book = result["book"]
    return (
        all(value <= GOAL_GROWTH for value in result["growth"].values())
        and book["growth"] <= GOAL_GROWTH
        and book["growth_mb"] <= GOAL_GROWTH_MB
        and not book["read_from_end_to_end"]
    )


def _catalogue(
    settings: Settings, size: int, processes: int, say: Callable[[str], None]
) -> dict[str, Any]:
    owner = settings.database_admin_url or settings.database_url
    found = alloc.measure(settings.database_url, owner, skus=size, processes=processes, say=say)
    # Of all children so far: with ascending sizes the largest is the newest.
    peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "skus": size,
        "numbers": found["numbers"],
        "first_s": found["first"]["seconds"],
        "same_s": found["same"]["seconds"],
        "one_ms": found["one_ms"],
        "peak_mb": round(peak_kb / 1024),
    }


def growth_of(catalogues: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Largest catalogue against the smallest, by SKU; for one SKU alone as it is. Empty for one size.

    catalogues    as measured; of the smallest, which is measured before and after the largest, the mean counts
    """
    least, most = (f(each["skus"] for each in catalogues) for f in (min, max))
    if least == most:
        return {}
    large = next(each for each in catalogues if each["skus"] == most)
    small = [each for each in catalogues if each["skus"] == least]

    def against(name: str, times: float) -> float:
        usual: float = statistics.mean(each[name] for each in small)
        return round(float(large[name] / max(0.01, usual)) / times, 2)

    by_sku = {name: against(name, most / least) for name in ("first_s", "same_s")}
    # Memory of a process only ever grows, so the first look at the smallest is the true one.
    peak = large["peak_mb"] / small[0]["peak_mb"] / (most / least)
    return by_sku | {"one_ms": against("one_ms", 1.0), "peak_mb": round(peak, 2)}


def _book(settings: Settings, skus: int, events: int, say: Callable[[str], None]) -> dict[str, Any]:
    engine = connect(settings.database_url, pool=2)
    owner = create_engine(settings.database_admin_url or settings.database_url)
    try:
        alloc.fill(engine, owner, skus)
        house = House(engine, LANES, Catalogue(), os.urandom)
        before, part = _sizes(owner), events // _PARTS
        seconds, grown = [], 0.0
        for number in range(_PARTS):
            seconds.append(_grow(house, number * part, part, skus))
            say(f"{(number + 1) * part:,} events: {part / seconds[-1]:,.0f}/s, {_rss_mb():.0f} MB")
            grown = _rss_mb() if number == 1 else grown
        growth_mb = _rss_mb() - grown
        # The first part fills caches; what comes last is compared with the usual of the others.
        growth = seconds[-1] / statistics.median(seconds[1:-1])
        return {
            "events": part * _PARTS,
            "skus": skus,
            "events_per_s": [round(part / each) for each in seconds],
            "growth": round(growth, 2),
            "growth_mb": round(growth_mb, 1),
            "mb_per_million_events": _per_million(before, _sizes(owner), part * _PARTS),
            "read_from_end_to_end": _read_whole(house, owner, skus, events),
            "retention": _retention(engine, owner, skus),
        }
    finally:
        engine.dispose()
        owner.dispose()


def _grow(house: House, first: int, count: int, skus: int) -> float:
    """Seconds that so many order lines take from the inbox into the book."""
    took = 0.0
    for begin in range(first, first + count, _CHUNK):
        facts = list(_facts(begin, min(_CHUNK, first + count - begin), skus))
        begun = time.perf_counter()
        with transaction(house.engine) as connection:
            inbox.keep(connection, facts, now=now())
        drain(house, now=now())
        took += time.perf_counter() - begun
    return took


def _facts(first: int, count: int, skus: int) -> Iterator[Delivery]:
    at = now().isoformat()
    for number in range(first, first + count):
        fact = {
            "kind": "order", "source": "bench", "id": f"order:{number}", "occurred_at": at,
            "channel": "shop", "order": str(number), "line": "1",
            "sku": f"S{1 + number * 7 % skus:07}", "location": _PLACE, "units": 1 + number % 5,
        }  # fmt: skip
        yield Delivery("bench", f"order:{number}", FACT_TOPIC, orjson.dumps(fact))


def _read_whole(house: House, owner: Engine, skus: int, first: int) -> dict[str, int]:
    """Large tables that hot work read from end to end: name -> times."""
    # What became due while the book grew is computed first: that work is a whole catalogue's.
    allocate(house.engine, now=now, rise_wait_s=0.0)
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE)"))
    before = _scans(house.engine, owner)
    for number in range(_HOT):
        _grow(house, first + number, 1, skus)
        allocate(house.engine, now=now, rise_wait_s=0.0)
        with transaction(house.engine) as connection:
            for channel in _CHANNELS:
                pushes.claim_pushes(connection, channel, 10, now(), 60.0, f"hot-{number}")
        sweep.sweep(house.engine, now=now())
    return large_scans(before, _scans(house.engine, owner))


def large_scans(
    before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]
) -> dict[str, int]:
    """How often each large table was read from end to end between two looks; (times, rows) by table."""
    return {
        name: after[name][0] - scans
        for name, (scans, _) in before.items()
        if after[name][0] > scans and after[name][1] >= _LARGE
    }


def _scans(engine: Engine, owner: Engine) -> dict[str, tuple[int, int]]:
    """Table -> (times read from end to end, rows); everything done before is counted."""
    login = engine.url.username
    engine.dispose()
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
        # A session tells what it has read when it ends at the latest.
        ends = time.monotonic() + _GONE_S
        while connection.execute(_SESSIONS, {"login": login}).scalar_one():
            if time.monotonic() > ends:
                raise AssertionError(f"sessions of {login} are still there after {_GONE_S:g} s")
            time.sleep(0.02)
        connection.execute(text("SELECT pg_stat_clear_snapshot()"))
        rows = connection.execute(_SCANS)
        return {row.relname: (int(row.seq_scan or 0), int(row.n_live_tup)) for row in rows}


def _retention(engine: Engine, owner: Engine, skus: int) -> dict[str, Any]:
    """How fast old pushes are forgotten, page by page, and what of the table's room can be used again."""
    count, at = 40 * max(1, skus // 10), now() - timedelta(days=500)
    place = {"skus": max(1, skus // 10), "place": _PLACE, "count": count, "at": at}
    with transaction(engine) as connection:
        connection.execute(_OLD_PUSHES, place)
    before = _room(owner)
    begun = time.perf_counter()
    gone = _forgotten(engine, at + timedelta(days=1))
    seconds = time.perf_counter() - begun
    return {
        "rows": gone,
        "rows_per_s": round(gone / max(seconds, 1e-9)),
        "table_mb_before_and_after": [before, _room(owner)],
    }


def _forgotten(engine: Engine, before: datetime) -> int:
    gone = 0
    while True:
        done = retention.forget(engine, before=before)
        gone += done.rows["push"]
        if not done.more:
            return gone


def _room(owner: Engine) -> float:
    with owner.connect() as connection:
        size = int(connection.execute(text("SELECT pg_total_relation_size('push')")).scalar_one())
    return round(size / 1024 / 1024, 1)


def _sizes(owner: Engine) -> dict[str, tuple[int, int]]:
    with owner.connect() as connection:
        rows = connection.execute(_SIZES, {"names": list(_BOOK)})
        return {row.name: (row.rows_bytes, row.index_bytes) for row in rows}


def _per_million(
    before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]], events: int
) -> dict[str, dict[str, int]]:
    def mb(name: str, which: int) -> int:
        return round((after[name][which] - before[name][which]) / events * 1e6 / 1024 / 1024)

    return {name: {"rows": mb(name, 0), "indexes": mb(name, 1)} for name in _BOOK}


def _rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "python": platform.python_version()}


def _server(settings: Settings) -> dict[str, str]:
    engine = connect(settings.database_url)
    names = ("server_version", "fsync", "synchronous_commit")
    with transaction(engine) as connection:
        said = {n: str(connection.execute(text(f"SHOW {n}")).scalar_one()) for n in names}
    engine.dispose()
    return said


def table(result: dict[str, Any], say: Callable[[str], None]) -> None:
    """The result for people."""
    say(
        f"{'SKUs':>10} {'numbers':>10} {'first, s':>9} {'again, s':>9} {'one, ms':>8} {'peak, MB':>9}"
    )
    for each in result["catalogues"]:
        say(
            f"{each['skus']:>10,} {each['numbers']:>10,} {each['first_s']:>9} {each['same_s']:>9}"
            f" {each['one_ms']:>8} {each['peak_mb']:>9}"
        )
    if result["growth"]:
        told = ", ".join(f"{name} {value}" for name, value in result["growth"].items())
        say(f"growth by SKU, largest against smallest: {told} (goal {GOAL_GROWTH})")
    book = result["book"]
    rates = ", ".join(f"{rate:,}" for rate in book["events_per_s"])
    say(f"book of {book['events']:,} events over {book['skus']:,} SKUs, events/s by tenth: {rates}")
    say(f"  last tenth against the others {book['growth']}, memory {book['growth_mb']:+} MB")
    for name, size in book["mb_per_million_events"].items():
        say(f"  {name}: {size['rows']} MB rows, {size['indexes']} MB indexes per million events")
    whole = ", ".join(f"{n} {times} times" for n, times in book["read_from_end_to_end"].items())
    say(f"  large tables that hot work read from end to end: {whole or 'none'}")
    kept = book["retention"]
    room = " to ".join(f"{mb} MB" for mb in kept["table_mb_before_and_after"])
    say(
        f"  retention: {kept['rows']:,} pushes at {kept['rows_per_s']:,}/s; the table went from {room}"
    )
