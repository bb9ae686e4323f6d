"""What goes wrong at the shops: a swallowed write, a storm of refusals, a listing that is gone, drifting numbers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from console.demo import goods
from console.demo.evidence import Halted, Notes
from console.demo.house import House, now
from workers.flows import halts

STORM_S = 2.0
_FOUND_LIMIT_S = 30.0
#: A window, what waits a minute for its orders, and the stop at the shop.
_HALTED_LIMIT_S = 90.0
_REPAIRED_LIMIT_S = 60.0

_WINDOWS_TOLD = 4
_STANDING = {
    "target": "SELECT location, units, number, set_at FROM target WHERE channel = :channel AND sku = :sku",
    "shown": """
        SELECT location, units, number, confirmed_at, read_units, read_at, verify_at
        FROM shown WHERE channel = :channel AND sku = :sku
    """,
    "drift": """
        SELECT location, window_at, expected, actual, cause, action, seen_at, resolved_at, result
        FROM drift WHERE channel = :channel AND sku = :sku ORDER BY id
    """,
    "halt": "SELECT state, reason FROM halt WHERE channel = :channel AND sku = :sku ORDER BY id",
    "windows": """
        SELECT window_at, finished_at, state, attempts, read, drifted, halted, error FROM run
        WHERE channel = :channel AND job = 'reconcile' ORDER BY window_at DESC LIMIT :windows
    """,
}

_UNREAD = """
    SELECT count(*) FROM shown WHERE sku = ANY(CAST(:skus AS text[])) AND verify_at IS NOT NULL
"""


def swallow(house: House, notes: Notes) -> None:
    """The outlet answers yes to the next number of one SKU and does not take it."""
    house.shops["outlet"].ask("fault", kind="swallow", sku=goods.SWALLOWED, count=1)
    house.tell(house.fact("write_off", goods.SWALLOWED, goods.HERE, units=3, reason="stolen"))
    house.diary[goods.SWALLOWED] -= 3
    notes.swallowed = ("outlet", goods.SWALLOWED)


def delist(house: House, notes: Notes) -> None:
    """A product is deleted at the outlet; its number changes together with others'."""
    house.shops["outlet"].ask("delete_product", sku=goods.REFUSED)
    skus = (goods.REFUSED, *goods.BESIDE_REFUSED)
    house.tell(
        *(house.fact("write_off", sku, goods.HERE, units=1, reason="samples") for sku in skus)
    )
    house.diary.subtract(dict.fromkeys(skus, 1))
    notes.refused = ("outlet", goods.REFUSED)
    notes.beside_refused = goods.BESIDE_REFUSED


def storm(house: House, notes: Notes) -> None:
    """The own shop throttles every call for a while, just when numbers change."""
    begun = now()
    shop = house.shops["shopify"]
    shop.ask("fault", kind="throttle", seconds=STORM_S)
    house.tell(
        *(house.fact("write_off", sku, goods.HERE, units=2, reason="moths") for sku in goods.STORM)
    )
    house.diary.subtract(dict.fromkeys(goods.STORM, 2))
    time.sleep(STORM_S)
    shop.ask("clear_faults", kind="throttle")
    notes.storm = ("shopify", begun, now())


def troubles_over(house: House) -> str:
    """Wait until the swallowed write is repaired, the storm's numbers are shown, the refused row is parked."""
    house.until(
        "the swallowed write is repaired",
        lambda: house.shown_as_should([goods.SWALLOWED], goods.HERE),
        limit_s=_REPAIRED_LIMIT_S,
    )
    house.until(
        "the numbers of the storm are shown",
        lambda: house.shown_as_should(goods.STORM, goods.HERE),
        limit_s=_REPAIRED_LIMIT_S,
        poll_s=0.5,
    )
    house.until(
        "the listing that is gone is parked",
        lambda: (
            house.one(
                "SELECT count(*) FROM push_due WHERE sku = :sku AND parked", sku=goods.REFUSED
            )
            == 1
        ),
        limit_s=_REPAIRED_LIMIT_S,
    )
    return "swallowed write repaired, storm weathered, deleted listing parked"


def drift(house: House, notes: Notes) -> Halted:
    """An old worker writes an older number, somebody edits a little, somebody else a lot; nobody tells us."""
    own, outlet = house.shops["shopify"], house.shops["outlet"]
    skus = [goods.OVERWRITTEN, goods.DRIFTED, goods.HALTED]
    # Until their own read-backs are over (the killed worker may have held one), those would find it, not a window.
    house.until(
        f"{', '.join(skus)} were read back",
        lambda: house.one(_UNREAD, skus=skus) == 0,
        limit_s=_FOUND_LIMIT_S,
    )
    older = _older_number(house, "outlet", goods.OVERWRITTEN)
    level = outlet.level(goods.OVERWRITTEN, goods.HERE)
    outlet.set_available(level["item"], level["location_id"], older)
    notes.overwritten = ("outlet", goods.OVERWRITTEN)
    outlet.ask("drift", sku=goods.DRIFTED, location=goods.HERE, units=2)
    before = own.level(goods.HALTED, goods.HERE)
    own.ask("drift", sku=goods.HALTED, location=goods.HERE, units=60)
    notes.drifted = [
        ("outlet", goods.OVERWRITTEN),
        ("outlet", goods.DRIFTED),
        ("shopify", goods.HALTED),
    ]
    return Halted("shopify", goods.HALTED, before, {}, {})


def halted_and_lifted(house: House, notes: Notes, begun: Halted) -> str:
    """Wait for the window that halts the SKU, lift it by hand, and wait until it is on sale as before."""
    house.until(
        f"{begun.sku} is halted by the next window",
        lambda: _halt_state(house, begun) == "set",
        limit_s=_HALTED_LIMIT_S,
        standing=lambda: _standing(house, begun),
    )
    own = house.shops[begun.shop]
    during = own.level(begun.sku, goods.HERE)
    halts.lift(
        house.wiring.engine,
        channel=begun.shop,
        sku=begun.sku,
        reason="counted: the shelf is right",
        by="demo",
        now=now(),
    )
    after = house.until(
        f"{begun.sku} is on sale again with its number",
        lambda: _as_before(house, begun),
        limit_s=_REPAIRED_LIMIT_S,
    )
    notes.halted = Halted(begun.shop, begun.sku, begun.before, during, after)
    return (
        f"{begun.sku} shown {begun.before['available']} + 60, halted at {during['available']} as {during['policy']},"
        f" lifted to {after['available']} as {after['policy']}"
    )


def drifts_over(house: House, notes: Notes) -> str:
    """Wait until every drifting number is what it should be again."""
    skus = sorted({sku for _, sku in notes.drifted})
    house.until(
        "every drift is repaired",
        lambda: house.shown_as_should(skus, goods.HERE),
        limit_s=_REPAIRED_LIMIT_S,
        poll_s=0.3,
    )
    causes = house.rows(
        "SELECT sku, cause FROM drift WHERE sku = ANY(CAST(:skus AS text[])) ORDER BY id", skus=skus
    )
    return ", ".join(f"{row['sku']}: {row['cause']}" for row in causes)


def ring_again(house: House, notes: Notes) -> str:
    """Send the messages of finished windows once more, as a broker that redelivers would."""
    done = house.rows(
        """
        SELECT channel, window_at, finished_at FROM run
        WHERE job = 'reconcile' AND state = 'done' ORDER BY window_at
        """
    )
    for row in done:
        house.celery.send_task(
            "workers.tasks.reconcile",
            kwargs={"channel": row["channel"], "window_at": row["window_at"].isoformat()},
            queue="reconcile",
        )
    notes.repeated_windows = [
        (row["channel"], row["window_at"], row["finished_at"]) for row in done
    ]
    return f"{len(done)} finished windows rung once more"


def _halt_state(house: House, about: Halted) -> str:
    found = house.rows(
        "SELECT state FROM halt WHERE channel = :channel AND sku = :sku ORDER BY id DESC LIMIT 1",
        channel=about.shop,
        sku=about.sku,
    )
    return str(found[0]["state"]) if found else ""


def _standing(house: House, about: Halted) -> str:
    """What is known of the SKU at its shop, and the last windows there: for whoever finds that no halt came."""
    what = {"channel": about.shop, "sku": about.sku, "windows": _WINDOWS_TOLD}
    seen = {name: house.rows(sql, **what) for name, sql in _STANDING.items()}
    told = [
        f"{name} {' | '.join(_told(row) for row in rows) or 'none'}" for name, rows in seen.items()
    ]
    level = house.shops[about.shop].level(about.sku, goods.HERE)
    return f"the shop shows {level['available']}; " + "; ".join(told)


def _told(row: Mapping[str, object]) -> str:
    return " ".join(
        f"{name} {value:%H:%M:%S}" if isinstance(value, datetime) else f"{name} {value}"
        for name, value in row.items()
        if value is not None and value != ""
    )


def _as_before(house: House, about: Halted) -> dict[str, object] | None:
    level = house.shops[about.shop].level(about.sku, goods.HERE)
    target = house.targets(about.sku)[about.shop]
    same = level["policy"] == about.before["policy"] and level["available"] == target
    return level if same else None


def _older_number(house: House, shop: str, sku: str) -> int:
    """The number before the one that is shown."""
    found = house.rows(
        """
        SELECT units FROM push WHERE channel = :shop AND sku = :sku AND outcome = 'confirmed' ORDER BY id DESC LIMIT 2
        """,
        shop=shop,
        sku=sku,
    )
    return int(found[1]["units"])
