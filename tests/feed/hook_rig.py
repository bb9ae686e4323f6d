"""What tests of addresses outside ask with."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, text

from channels.addresses import networks
from ledger.db import transaction
from reconcile import halt_store
from tests.feed.receiver import Receiver
from tests.servers import Clock
from workers.feed import hook_store, hooks
from workers.feed.hook_words import KINDS
from workers.feed.hooks import Outside, Sent

#: Waits are exactly what the schedule says.
OUTSIDE = Outside(b"the key of the house", networks(["127.0.0.0/8"]), lambda: 0.5)
RANDOM = bytes(range(32))


def subscribe(engine: Engine, receiver: Receiver, clock: Clock, *kinds: str) -> None:
    receiver.secret = hooks.add(
        engine, OUTSIDE, "erp", receiver.url, kinds or list(KINDS), by="ann", now=clock.now, random=RANDOM
    )  # fmt: skip


def halt(engine: Engine, clock: Clock) -> None:
    with transaction(engine) as connection:
        halt_store.set_halt(connection, "shop", "MUG", "shows too much", "rule", clock.now)


def lift(engine: Engine, clock: Clock) -> None:
    with transaction(engine) as connection:
        halt_store.lift_halt(connection, "shop", "MUG", "bea", "counted", clock.now)
        number = connection.execute(text("SELECT max(id) FROM halt")).scalar_one()
        halt_store.mark_lifted(connection, number, clock.now)


def send(engine: Engine, clock: Clock) -> Sent:
    return hooks.send(engine, OUTSIDE, now=lambda: clock.now)


def stands(engine: Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        (row,) = hook_store.listed(connection)
    return row


def level(engine: Engine, *, low_since: Any, available: int = 6) -> None:
    """Three mugs a day, fourteen days until more could come."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO balance (sku, location, state, units) VALUES ('MUG', 'WH', 'available', :units)"
                " ON CONFLICT (sku, location, state) DO UPDATE SET units = excluded.units"
            ),
            {"units": available},
        )
        connection.execute(
            text("""
                INSERT INTO reorder_level (sku, location, run_id, pack, minimum, service, review_days, lead_days,
                    lead_sd_days, lead_receipts, per_day, wanted_units, wanted_sd, shape, model, folds, reorder_point,
                    order_up_to, lot_units, tier, look_at, low_since)
                VALUES ('MUG', 'WH', 1, 1, 0, 0.95, 7, 14, 0, 0, 3, 42, 4, 'normal', 'mean', 5, 40, 90, 0, 'A', now(),
                        :low_since)
                ON CONFLICT (sku, location) DO UPDATE SET low_since = excluded.low_since
            """),
            {"low_since": low_since},
        )
