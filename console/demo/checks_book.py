"""Checks of the book: is it whole, has it everything the shops told, does it agree with what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from console.demo.evidence import Check, Evidence, Row

#: Differences named in a detail.
NAMED = 5


def ledger_proof(seen: Evidence) -> Check:
    """Every balance follows from its postings, every seal from its events."""
    events = seen.tables["sums"][0]["events"]
    said = "; ".join(seen.findings[:NAMED]) or f"{events} events proven, nothing found"
    return Check("the ledger proves itself", not seen.findings and events > 0, said)


def webhooks_once(seen: Evidence) -> Check:
    """Every delivery a shop counts as accepted is in the inbox once, and applied."""
    wrong: list[str] = []
    accepted = doubled = 0
    for shop, view in (seen.views | seen.lanes).items():
        ours = [row for row in seen.tables["inbox"] if row["source"] == shop]
        kept = Counter(row["delivery_id"] for row in ours)
        states = {row["delivery_id"]: row["state"] for row in ours}
        sent = Counter(entry["delivery_id"] for entry in view.deliveries if _was_accepted(entry))
        accepted += len(sent)
        doubled += sum(times > 1 for times in sent.values())
        for delivery, times in sent.items():
            if kept[delivery] != 1:
                wrong.append(
                    f"{shop} {delivery} ({times} times sent) is {kept[delivery]} times in the inbox"
                )
            elif states[delivery] != "applied":
                wrong.append(f"{shop} {delivery} is {states[delivery]}")
    said = f"{accepted} accepted ({doubled} sent twice), each once in the inbox and applied"
    return Check(
        "every webhook once, and applied", not wrong and accepted > 0, said_of(wrong, said)
    )


def orders_booked(seen: Evidence) -> Check:
    """Every line of every order the shops took is in the book with its units."""
    book = {
        (row["channel"], row["order_id"], row["line_id"]): row["ordered_units"]
        for row in seen.tables["order_line"]
    }
    wrong: list[str] = []
    lines = 0
    for order in seen.notes.placed:
        for line, sku, units in order.lines:
            lines += 1
            booked = book.get((order.shop, order.number, line))
            if booked != units:
                wrong.append(
                    f"{order.shop} {order.order} line of {sku}: {units} ordered, {booked} booked"
                )
    said = f"{len(seen.notes.placed)} orders with {lines} lines, each booked with its units"
    return Check("every order is in the book", not wrong and lines > 0, said_of(wrong, said))


def committed_units(seen: Evidence) -> Check:
    """Units committed in the ledger are the units committed in the shops, SKU by SKU."""
    book = {row["sku"]: int(row["units"]) for row in seen.tables["committed"]}
    shops: Counter[str] = Counter()
    for view in seen.views.values():
        for level in view.levels.values():
            shops[level["sku"]] += level["committed"]
    for lane in seen.lanes.values():
        shops.update(lane.committed)
    wrong = _differences(book, shops, "committed in the ledger", "in the shops")
    total = sum(shops.values())
    said = f"{total} units committed in the shops and in the ledger, SKU by SKU"
    return Check("committed units agree", not wrong and total > 0, said_of(wrong, said))


def conservation(seen: Evidence) -> Check:
    """What is in the house is what came in less what left, as the demo itself has written down."""
    book = {row["sku"]: int(row["units"]) for row in seen.tables["in_house"]}
    wrong = _differences(book, seen.diary, "in the ledger's house", "by the diary")
    said = f"{sum(book.values())} units of {len(book)} SKUs in the house, as the diary says"
    return Check(
        "no unit came from nowhere or went nowhere", not wrong and bool(book), said_of(wrong, said)
    )


def nothing_waits(seen: Evidence) -> Check:
    """Nothing is left to be read, computed, pushed or delivered."""
    waiting = {
        "deliveries in the inbox": _count(seen.tables["inbox"], state=("pending", "waiting")),
        "SKUs to be computed": len(seen.tables["due"]),
        "numbers to be pushed": _count(seen.tables["push_due"], parked=(False,)),
        "webhooks to be sent": sum(view.waiting for view in (seen.views | seen.lanes).values()),
        "halts open": len(seen.tables["halt"]) - _count(seen.tables["halt"], state=("lifted",)),
    }
    wrong = [f"{count} {what}" for what, count in waiting.items() if count]
    return Check("nothing waits", not wrong, said_of(wrong, f"no {', no '.join(waiting)}"))


def rubbish_has_reasons(seen: Evidence) -> Check:
    """Forged and huge deliveries are not kept; broken and unknown ones are, with a reason, until they are mended."""
    told = seen.notes.rubbish
    if not {"forged", "large", "broken", "unknown"} <= told.keys():
        return Check("rubbish has reasons", False, "not all of it was sent")
    wrong = [
        f"{name}: answered {told[name]['status']}, kept as {told[name]['kept'] or 'nothing'}"
        for name, status in (("forged", 401), ("large", 413))
        if told[name]["status"] != status or told[name]["kept"]
    ]
    for name, state in (("broken", "rejected"), ("unknown", "parked")):
        if told[name].get("state") != state or not told[name].get("why"):
            wrong.append(f"{name}: {told[name]}")
    if not told["unknown"].get("replayed"):
        wrong.append("the unknown SKU's delivery was not applied after it was made known")
    left = [row for row in seen.tables["inbox"] if row["state"] in ("parked", "rejected")]
    wrong += [
        f"{row['source']}/{row['delivery_id']} has no reason" for row in left if not row["error"]
    ]
    strange = [row for row in left if row["delivery_id"] != "broken"]
    wrong += [f"{row['source']}/{row['delivery_id']}: {row['error']}" for row in strange]
    said = f"401, 413, rejected ({told['broken']['why']}), parked ({told['unknown']['why']}) and applied once mended"
    return Check("rubbish has reasons", not wrong, said_of(wrong, said))


def _was_accepted(entry: Row) -> bool:
    return 200 <= int(entry.get("status") or 0) < 300


def _count(rows: Iterable[Row], **wanted: tuple[object, ...]) -> int:
    return sum(all(row[name] in values for name, values in wanted.items()) for row in rows)


def _differences(
    first: Mapping[str, int], second: Mapping[str, int], is_first: str, is_second: str
) -> list[str]:
    return [
        f"{sku}: {first.get(sku, 0)} {is_first}, {second.get(sku, 0)} {is_second}"
        for sku in sorted({*first, *second})
        if first.get(sku, 0) != second.get(sku, 0)
    ]


def said_of(wrong: list[str], right: str) -> str:
    if not wrong:
        return right
    more = f" (+{len(wrong) - NAMED} more)" if len(wrong) > NAMED else ""
    return "; ".join(wrong[:NAMED]) + more
