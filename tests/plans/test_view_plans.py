"""A page of a list is read by an index, however much is over, and wherever the page begins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text

from console.views import access, alerts, recon, work
from console.views.listing import Listing, page
from tests.databases import Shelf
from tests.plans.large import filled
from tests.plans.test_push_plans import indexes, plan_of, scanned_whole

NOTHING = {"channel": None, "sku": None, "cause": None, "rule": None, "source": None}
STUCK = ["parked", "rejected"]
NOBODY = {"actor": None, "object": None, "verb": None, "outcome": None, "since": None}
FILL = (
    "INSERT INTO drift (channel, sku, location, expected, actual, cause, action, seen_at, last_at, resolved_at)"
    " SELECT 'shop', 's' || n, 'WH', 1, 2, 'unknown', '', at, at, CASE WHEN n % 2000 > 0 THEN at END"
    " FROM (SELECT n, now() - make_interval(secs => n) AS at FROM generate_series(1, 20000) AS n) AS given",
    "INSERT INTO incident (rule, channel, severity, since, resolved_at)"
    " SELECT 'drift.open', 'c' || n, 'error', now(), CASE WHEN n % 2000 > 0 THEN now() END"
    " FROM generate_series(1, 20000) AS n",
    "INSERT INTO inbox (source, delivery_id, topic, body, received_at, state, settled_at, error)"
    " SELECT 'shop', n::text, 'fact', '', now(), CASE WHEN n % 2000 > 0 THEN 'applied' ELSE 'parked' END, now(), ''"
    " FROM generate_series(1, 20000) AS n",
    "INSERT INTO push (push_key, channel, sku, location, units, number, sent_at)"
    " SELECT n::text, 'shop', 's' || n, 'WH', 1, 1, now() FROM generate_series(1, 20000) AS n",
    "INSERT INTO deed (at, actor, role, door, verb, object)"
    " SELECT now(), 'p' || n % 500, 'lead', 'cli', 'v' || n % 50, 'sku:' || n FROM generate_series(1, 20000) AS n",
    "INSERT INTO deed_end (deed_id, at, outcome)"
    " SELECT id, at, CASE WHEN id % 500 = 0 THEN 'refused' ELSE 'done' END FROM deed",
    "INSERT INTO run (job, channel, window_at, state)"
    " SELECT 'reconcile', 'c' || n % 40, now() - make_interval(mins => n), 'done' FROM generate_series(1, 20000) AS n",
    "INSERT INTO audit (at, actor, action, object)"
    " SELECT now(), 'ann', 'stock.adjust', 'sku:' || n FROM generate_series(1, 20000) AS n",
)


def fill(connection: Connection) -> None:
    for statement in FILL:
        connection.execute(text(statement))


@pytest.fixture(scope="module")
def full(shelf: Shelf) -> Iterator[Connection]:
    with filled(shelf, fill) as engine, engine.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    ("listing", "said", "index"),
    [
        (recon.DRIFT, NOTHING | {"all": False}, "drift_open"),
        (recon.DRIFT, NOTHING | {"all": True}, "drift_seen"),
        (alerts.INCIDENTS, NOTHING | {"all": False}, "incident_open"),
        (work.inbox_of(STUCK), NOTHING | {"state": STUCK}, "inbox_parked"),
        (work.INBOX, NOTHING | {"state": ["parked", "applied"]}, "inbox_pkey"),
        (work.PUSHES, NOTHING, "push_pkey"),
        (work.PUSHES, NOTHING | {"channel": "shop", "sku": "s77"}, "push_told"),
        (access.DEEDS, NOBODY, "deed_pkey"),
        (access.DEEDS, NOBODY | {"actor": "p7"}, "deed_actor"),
        (access.deeds_of("refused"), NOBODY | {"outcome": "refused"}, "deed_end_of"),
        (access.TRAIL, NOBODY, "audit_pkey"),
        (recon.RUNS, NOTHING, "run_windows"),
    ],
)
def test_a_page_is_read_by_an_index(
    full: Connection, listing: Listing, said: dict[str, Any], index: str
) -> None:
    first = page(full, listing, said, limit=5)
    nodes = plan_of(full, lambda: page(full, listing, said, limit=5))
    more = plan_of(full, lambda: page(full, listing, said, limit=5, after=first.after))

    assert (scanned_whole(nodes), scanned_whole(more)) == (set(), set())
    assert index in indexes(nodes)
