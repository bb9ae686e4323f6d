"""A simulated account read back over HTTP, end to end: a window of it, item by item, compared and classified."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, text

from allocation import backlog, store
from allocation.document import read
from channels.limits import Bucket
from channels.simulators.square.control import Control
from channels.simulators.square.serving import SquareRunning, start_square
from channels.square.client import Square
from channels.square.lane import ASSUMED
from ledger.db import connect, transaction
from workers.flows.reconcile import open_windows, reconcile
from workers.flows.reconcile_terms import RunReport, Terms
from workers.garbage import collect_seldom
from workers.wiring import now

CHANNEL: Final = "account"
PLACE: Final = "WH-ACCOUNT"
UNITS: Final = 40
_CHUNK: Final = 2000
_ONE_IN: Final = 1000
_LIMIT_S: Final = 600.0
#: Long enough that no window ends while it is measured.
_WINDOW_S: Final = 86_400

_RULES = """
[locations.{place}]
[channels.{channel}]
kind = "square"
base_url = "{url}"
locations = ["{place}"]
vendor_locations = {{ "{gid}" = "{place}" }}
"""
_FILL = (
    "INSERT INTO sku (sku) SELECT sku FROM unnest(CAST(:skus AS text[])) AS given (sku) ON CONFLICT DO NOTHING",
    """INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)
       SELECT :channel, sku, :place, item, :gid
       FROM unnest(CAST(:skus AS text[]), CAST(:items AS text[])) AS given (sku, item)""",
    """INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)
       SELECT :channel, sku, :place, :units, 1, (SELECT max(version) FROM rule_set), :at
       FROM unnest(CAST(:skus AS text[])) AS given (sku)""",
    """INSERT INTO shown (channel, sku, location, units, number, confirmed_at)
       SELECT :channel, sku, :place, :units, 1, :at FROM unnest(CAST(:skus AS text[])) AS given (sku)""",
)


def measure(url: str, owner: Engine, *, rows: int, say: Callable[[str], object]) -> dict[str, Any]:
    """Open an account of `rows` variations of which one in a thousand shows more, and read a window of it.

    returns    rows, seconds (from the window's opening to the last drift row, waits for the account's limit included),
               waits (how often its limit made the run come back), differing, drifts, throttled (calls that the vendor
               refused for its limit), and `right`
    """
    engine = connect(url, pool=2)
    with _shop(rows) as (shop, throttled_by_now):
        _house(engine, shop)
        with owner.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text("ANALYZE binding, target, shown, sku"))
        say(f"an account of {rows:,} variations is open")
        client = Square(
            CHANNEL,
            shop.url,
            shop.token,
            limiter=Bucket(
                None,
                CHANNEL,
                maximum=ASSUMED.maximum,
                restore_rate=ASSUMED.restore_per_s,
                alone_share=1,
            ),
            now=now,
        )
        begun = time.perf_counter()
        report, waits = _read(engine, client)
        seconds = time.perf_counter() - begun
        client.close()
        throttled = throttled_by_now()
    with transaction(engine) as connection:
        drifts = connection.execute(
            text("SELECT count(*) FROM drift WHERE channel = :c"), {"c": CHANNEL}
        ).scalar_one()
    engine.dispose()
    differing = len(range(0, rows, _ONE_IN))
    return {
        "rows": report.counts.read,
        "seconds": round(seconds, 2),
        "waits": waits,
        "differing": differing,
        "drifts": drifts,
        "throttled": throttled,
        "right": report.counts.read == rows and drifts == differing and not throttled,
    }


@dataclass(frozen=True, slots=True)
class Shop:
    """An account that is open in a process of its own, as a vendor's is.

    place    the vendor's id of the location
    items    SKU -> the vendor's variation
    """

    url: str
    token: str
    place: str
    items: dict[str, str]


_running: list[SquareRunning] = []


@contextmanager
def _shop(rows: int) -> Iterator[tuple[Shop, Callable[[], int]]]:
    """An account of so many variations, and how many calls it has refused for its limit."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        shop = process.submit(_open, rows).result()
        try:
            yield shop, lambda: process.submit(_throttled).result()
        finally:
            process.submit(_close).result()


def _open(rows: int) -> Shop:
    running = start_square(seed=1)
    _running.append(running)
    running.simulator.engine.limit(ASSUMED.restore_per_s, ASSUMED.maximum)
    control = Control(running.simulator)
    place = control.location({"name": PLACE})
    assert isinstance(place, dict)
    for begin in range(0, rows, _CHUNK):
        items = [
            {
                "variations": [
                    {
                        "sku": f"X{number:07}",
                        "stock": {PLACE: UNITS + 5 * (number % _ONE_IN == 0)},
                    }
                ]
            }
            for number in range(begin, min(begin + _CHUNK, rows))
        ]
        control.items({"items": items})
    objects = running.simulator.merchant.objects.values()
    variations = {one.sku: one.id for one in objects if one.type == "ITEM_VARIATION"}
    collect_seldom()
    return Shop(running.facts.base_url, running.facts.token, str(place["id"]), variations)


def _throttled() -> int:
    log = _running[0].simulator.log.since(0, "api", None)
    return sum(entry.facts["status"] == 429 for entry in log)


def _close() -> None:
    _running.pop().stop()


def _house(engine: Engine, shop: Shop) -> None:
    rules = _RULES.format(place=PLACE, channel=CHANNEL, url=shop.url, gid=shop.place)
    at = now()
    with transaction(engine) as connection:
        store.apply_rules(connection, rules, read(rules), "bench", "measurement", at)
        backlog.allow_writes(connection, CHANNEL)
    given: dict[str, object] = {
        "channel": CHANNEL, "place": PLACE, "gid": shop.place, "units": UNITS, "at": at,
        "skus": list(shop.items), "items": list(shop.items.values()),
    }  # fmt: skip
    for statement in _FILL:
        with transaction(engine) as connection:
            values = {name: value for name, value in given.items() if f":{name}" in statement}
            connection.execute(text(statement), values)


def _read(engine: Engine, client: Square) -> tuple[RunReport, int]:
    """A window's run, taken up again whenever the account's limit lets it; and how often it had to wait."""
    # The window of the account alone, whatever other channels the house has.
    opened = dict(open_windows(engine, now=now(), window_s=_WINDOW_S).opened)
    begun, waits = time.perf_counter(), 0
    while time.perf_counter() - begun < _LIMIT_S:
        report = reconcile(
            engine,
            client,
            channel=CHANNEL,
            window_at=opened[CHANNEL],
            now=now,
            terms=Terms(window_s=_WINDOW_S),
        )
        if report.again_at is None:
            break
        waits += 1
        time.sleep(max(0.0, (report.again_at - now()).total_seconds()))
    if report.state != "done":
        raise AssertionError(f"the read-back ended {report.state}: {report.error}")
    return report, waits
