"""A simulated shop read back over HTTP, end to end: the export begun, written, fetched, compared, classified."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Engine, text

from allocation import backlog, store
from allocation.document import read
from channels.limits import Bucket
from channels.shopify.client import Shopify
from channels.simulators.serve import Running, start
from channels.simulators.shopify.control import Control
from ledger.db import connect, transaction
from workers.flows import jobs
from workers.flows.reconcile_terms import RunReport, Terms
from workers.flows.truth import read_truth
from workers.wiring import now

CHANNEL: Final = "export"
PLACE: Final = "WH-EXPORT"
UNITS: Final = 40
_CHUNK: Final = 2000
_ONE_IN: Final = 1000
_LOOK_S: Final = 0.25
_LIMIT_S: Final = 600.0

_RULES = """
[locations.{place}]
[channels.{channel}]
kind = "shopify"
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
    """Open a shop of `rows` variants of which one in a thousand shows more, and read it back.

    returns    rows, seconds (from asking for the export to the last drift row), export_s (of these, until the vendor
               had written it), differing, drifts, calls that the vendor refused for its limit, and `right`
    """
    engine = connect(url, pool=2)
    with _shop() as (running, gid):
        skus = _stock(running, rows)
        _house(engine, running, gid, skus)
        with owner.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text("ANALYZE binding, target, shown, sku"))
        say(f"a shop of {rows:,} variants is open")
        client = Shopify(
            CHANNEL,
            running.facts.base_url,
            running.facts.token,
            limiter=Bucket(None, CHANNEL, maximum=2000, restore_rate=100, alone_share=1),
            now=now,
        )
        begun = time.perf_counter()
        report, export_s = _read(engine, client)
        seconds = time.perf_counter() - begun
        client.close()
        log = running.simulator.log.since(0, "api", None)
    throttled = sum(entry.facts.get("outcome") == "throttled" for entry in log)
    with transaction(engine) as connection:
        drifts = connection.execute(
            text("SELECT count(*) FROM drift WHERE channel = :c"), {"c": CHANNEL}
        ).scalar_one()
    engine.dispose()
    differing = len(range(0, rows, _ONE_IN))
    return {
        "rows": report.counts.read,
        "seconds": round(seconds, 2),
        "export_s": round(export_s, 2),
        "differing": differing,
        "drifts": drifts,
        "throttled": throttled,
        "right": report.counts.read == rows and drifts == differing and not throttled,
    }


@contextmanager
def _shop() -> Iterator[tuple[Running, str]]:
    running = start("shopify", seed=1)
    try:
        place = Control(running.simulator).location({"name": PLACE})
        yield running, str(json.loads(json.dumps(place))["id"])
    finally:
        running.stop()


def _stock(running: Running, rows: int) -> dict[str, str]:
    """Fill the shop; returns the item of each SKU."""
    control = Control(running.simulator)
    skus = [f"X{number:07}" for number in range(rows)]
    for begin in range(0, rows, _CHUNK):
        products = [
            {
                "variants": [
                    {"sku": sku, "stock": {PLACE: UNITS + 5 * (number % _ONE_IN == 0)}},
                ]
            }
            for number, sku in enumerate(skus[begin : begin + _CHUNK], begin)
        ]
        control.products({"products": products})
    shop = running.simulator.shop
    return {sku: shop.by_sku[sku].item.gid for sku in skus}


def _house(engine: Engine, running: Running, gid: str, items: dict[str, str]) -> None:
    rules = _RULES.format(place=PLACE, channel=CHANNEL, url=running.facts.base_url, gid=gid)
    at = now()
    with transaction(engine) as connection:
        store.apply_rules(connection, rules, read(rules), "bench", "measurement", at)
        backlog.allow_writes(connection, CHANNEL)
    given: dict[str, object] = {
        "channel": CHANNEL, "place": PLACE, "gid": gid, "units": UNITS, "at": at,
        "skus": list(items), "items": list(items.values()),
    }  # fmt: skip
    for statement in _FILL:
        with transaction(engine) as connection:
            values = {name: value for name, value in given.items() if f":{name}" in statement}
            connection.execute(text(statement), values)


def _read(engine: Engine, client: Shopify) -> tuple[RunReport, float]:
    """The night's run, looked at again as soon as the vendor may have written; and when it had."""
    with transaction(engine) as connection:
        jobs.runs.open_windows(connection, jobs.TRUTH, [CHANNEL], now(), jobs.TRUTH_S)
    window_at = jobs.runs.window_of(now(), jobs.TRUTH_S)
    begun = time.perf_counter()
    written_s = 0.0
    while time.perf_counter() - begun < _LIMIT_S:
        looked = time.perf_counter() - begun
        report = read_truth(
            engine, client, client, channel=CHANNEL, window_at=window_at, now=now, terms=Terms()
        )
        if report.state != "later":
            written_s = looked
            break
        # A worker is rung after 30 s; how long the vendor takes is not what is measured.
        with transaction(engine) as connection:
            connection.execute(
                text("UPDATE run SET leased_until = NULL WHERE job = 'truth' AND channel = :c"),
                {"c": CHANNEL},
            )
        time.sleep(_LOOK_S)
    if report.state != "done":
        raise AssertionError(f"the read-back ended {report.state}: {report.error}")
    return report, written_s
