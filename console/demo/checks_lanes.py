"""Checks of Amazon, the tills and the grocer: what they show, what they sold, what was told to whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from console.demo import goods
from console.demo.checks_book import said_of
from console.demo.evidence import Check, Evidence

#: A forgotten update is found within this: Amazon applies one in a second here, and is asked soon after.
_FOUND_WITHIN_S: Final = 15.0
_AFTER_STORM: Final = timedelta(seconds=5)


def lanes_shown(seen: Evidence) -> Check:
    """Amazon's offers, the tills' counts and the grocer's newest 846 are the targets."""
    wrong: list[str] = []
    numbers: Counter[str] = Counter()
    for row in seen.tables["target"]:
        view = seen.lanes.get(row["channel"])
        if view is None:
            continue
        shows = view.shown.get((row["sku"], row["vendor_location_id"]))
        numbers[row["channel"]] += 1
        if shows is None or max(0, shows) != row["units"]:
            wrong.append(
                f"{row['channel']} {row['sku']} at {row['location']} should show {row['units']}, shows {shows}"
            )
    said = ", ".join(f"{name} {count}" for name, count in sorted(numbers.items()))
    everyone = set(numbers) == set(goods.LANES)
    return Check(
        "every lane shows what it should",
        not wrong and everyone,
        said_of(wrong, f"numbers as they should be: {said}"),
    )


def lane_orders_booked(seen: Evidence) -> Check:
    """Every order of Amazon, till and grocer is in the book once, with its units."""
    book: Counter[tuple[str, str, str]] = Counter()
    for row in seen.tables["order_line"]:
        book[row["channel"], row["order_id"], row["sku"]] += row["ordered_units"]
    cancelled = {goods.AMZ_CANCELLED}
    wrong = [
        f"{channel} {order}: {units} of {sku} ordered, {book[channel, order, sku]} booked"
        for channel, order, sku, units in seen.notes.lanes.booked
        if book[channel, order, sku] != (0 if sku in cancelled else units)
    ]
    channels = sorted({channel for channel, *_ in seen.notes.lanes.booked})
    said = f"{len(seen.notes.lanes.booked)} lines of {', '.join(channels)}, each booked once"
    return Check(
        "the lanes' orders are in the book",
        not wrong and channels == sorted(goods.LANES),
        said_of(wrong, said),
    )


def amazon_mirrored(seen: Evidence) -> Check:
    """What Amazon says it can sell is what the ledger says is there."""
    book = {row["sku"]: int(row["units"]) for row in seen.tables["held"]}
    held = seen.lanes[goods.AMAZON].held if goods.AMAZON in seen.lanes else {}
    wrong = [
        f"{sku}: Amazon can sell {units}, the ledger has {book.get(sku, 0)}"
        for sku, units in sorted(held.items())
        if book.get(sku, 0) != units
    ]
    said = f"{sum(held.values())} units of {len(held)} SKUs held by Amazon, and in the ledger"
    return Check("Amazon's stock is mirrored", not wrong and bool(held), said_of(wrong, said))


def mcf_counted_once(seen: Evidence) -> Check:
    """An order of a shop that Amazon shipped took Amazon's units once, and nobody else's."""
    name = "an order shipped by Amazon counts once"
    order = seen.notes.lanes.mcf
    if order is None:
        return Check(name, False, "Amazon shipped no order of a shop")
    wrong = []
    if order.fba[0] - order.fba[1] != order.units:
        wrong.append(f"Amazon's stock fell by {order.fba[0] - order.fba[1]}")
    if order.own[0] != order.own[1]:
        wrong.append(f"our own stock fell by {order.own[0] - order.own[1]}")
    if order.shipped != order.units:
        wrong.append(f"{order.shipped} units are booked as shipped")
    lines = [
        row
        for row in seen.tables["order_line"]
        if (row["channel"], row["order_id"]) == (order.shop, order.order)
    ]
    if sum(row["shipped_units"] for row in lines) != order.units:
        wrong.append("the shop's own word counted again")
    said = f"{order.units} of {order.sku}: Amazon's {order.fba[0]} -> {order.fba[1]}, our own {order.own[1]} as before"
    return Check(name, not wrong, said_of(wrong, said))


def forgotten_update_found(seen: Evidence) -> Check:
    """Amazon accepted an update, forgot it, and showed the right number soon after."""
    name = "an update that Amazon forgot is found"
    begun, ended = seen.notes.lanes.swallowed_at, seen.notes.lanes.repaired_at
    if begun is None or ended is None:
        return Check(name, False, "no update was forgotten and repaired")
    took_s = (ended - begun).total_seconds()
    said = f"{goods.AMZ_SWALLOWED} right {took_s:.1f} s after it was forgotten"
    return Check(name, took_s <= _FOUND_WITHIN_S, said)


def wholesale_answered(seen: Evidence) -> Check:
    """The grocer has a 997 for everything, an 855 for each order, an 856 for what was shipped, and no complaint."""
    name = "an 850 is answered by 997 and 855, then 856"
    told = seen.lanes[goods.GROCER].told if goods.GROCER in seen.lanes else {}
    wrong = list(_wholesale_wrong(seen, told))
    sets: Counter[str] = Counter(
        set_id for file in told.get("received", []) for set_id in file["sets"]
    )
    said = ", ".join(f"{count} x {set_id}" for set_id, count in sorted(sets.items()))
    return Check(name, not wrong and bool(told), said_of(wrong, f"the grocer received {said}"))


def _wholesale_wrong(seen: Evidence, told: dict[str, object]) -> Iterator[str]:
    for words in ("unacknowledged", "overdue", "complaints"):
        found = told.get(words)
        if found:
            yield f"{words}: {found}"
    orders = told.get("orders")
    purchases = seen.notes.lanes.purchases
    if not isinstance(orders, dict) or not {"whole", "short"} <= purchases.keys():
        yield "no purchase order was sent"
        return
    whole, short = (orders[purchases[name]] for name in ("whole", "short"))
    yield from (
        f"{order['order']} has no 855" for order in (whole, short) if "855" not in order["answered"]
    )
    yield from (
        f"{line['shipped']} of {line['units']} {line['sku']} were announced"
        for line in whole["lines"]
        if line["shipped"] != line["units"]
    )
    if all(status in ("IA", "AC") for line in short["lines"] for status in line["promised"]):
        yield f"{short['order']} was promised whole, which nobody can keep"


def amazon_rates_kept(seen: Evidence) -> Check:
    """Amazon and Square refused no call for coming too fast, but for Amazon in the storm that was made."""
    wrong: list[str] = []
    calls = stormy = 0
    storm = seen.notes.lanes.storm
    for name in (goods.AMAZON, goods.TILL_LANE):
        for entry in seen.lanes[name].calls if name in seen.lanes else ():
            calls += 1
            if int(entry.get("status") or 0) != 429:
                continue
            if (
                name == goods.AMAZON
                and storm is not None
                and storm[0] <= entry["at"] <= storm[1] + _AFTER_STORM
            ):
                stormy += 1
            else:
                wrong.append(f"{name}: {entry.get('operation')} at {entry['at']:%H:%M:%S}")
    if not stormy:
        wrong.append("the storm has refused no call")
    said = f"{calls} calls at Amazon and Square, {stormy} refused in the storm, none outside of it"
    return Check("no other limit is exceeded", not wrong, said_of(wrong, said))
