"""What the merchant of the demo sells, where it lies, and by which rules it is shown: data for the day."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from console.local.layout import Played

HERE, STORE_1, STORE_2 = LOCATIONS = ("WH-MAIN", "STORE-1", "STORE-2")
#: Stock that Amazon holds; the outlet sells from it too, and Amazon ships that.
FBA: Final = "FBA-US"
SHOPS: Final = ("shopify", "outlet")
AMAZON, TILL_LANE, GROCER = LANES = ("amazon", "till", "grocer")
#: Every account that is played, with its vendor.
PLAYED: Final[Mapping[str, str]] = {
    **dict.fromkeys(SHOPS, "shopify"),
    AMAZON: "amazon",
    TILL_LANE: "square",
    GROCER: "edi",
}

#: Everybody sees the whole pool of these; a sale in one shop must change what the other shows.
SHARED: Final = (
    *(f"TEE-{number:03}" for number in range(1, 201)),
    *(f"MUG-{number:03}" for number in range(1, 161)),
)
#: These are divided by percents, and capped on the outlet.
DIVIDED: Final = tuple(f"LTD-{number:03}" for number in range(1, 81))
#: No crowd buys these: each belongs to one scene of the day.
STAGED: Final = tuple(f"BAG-{number:03}" for number in range(1, 61))
#: On sale in both shops, on Amazon, at both tills and to the grocer at once.
EVERYWHERE: Final = tuple(f"KIT-{number:03}" for number in range(1, 41))
#: Amazon holds and ships these; the outlet lists them from there.
BY_AMAZON: Final = tuple(f"FBX-{number:03}" for number in range(1, 11))
BY_AMAZON_UNITS: Final = 30
#: What lies on shelves of the house's own when the book is opened.
OWN: Final = (*SHARED, *DIVIDED, *STAGED, *EVERYWHERE)
SKUS: Final = (*OWN, *BY_AMAZON)
#: Every third order line or so is for one of these.
HOT: Final = SHARED[::45]

OPENING: Final[Mapping[str, int]] = {HERE: 300, STORE_1: 40, STORE_2: 20}
#: Listings that stand at a location where the shop shall show nothing; they are held at 0.
LEFT_OVER: Final = SHARED[:40]
LEFT_OVER_UNITS: Final = 7

#: The staged SKU of each scene.
RETURNED, CANCELLED, KEPT, REFUNDED_A, REFUNDED_B, REFUNDED_C = STAGED[:6]
RECEIVED, MOVED, BROKEN, COUNTED, RESERVED, TILL = STAGED[6:12]
SWALLOWED, REFUSED, OVERWRITTEN, DRIFTED, HALTED, LAST = STAGED[12:18]
STORM: Final = STAGED[20:30]
BESIDE_REFUSED: Final = STAGED[30:36]
UNKNOWN: Final = "BAG-NEW"

#: The SKU of each scene of the other lanes.
AMZ_SHIPPED, AMZ_PENDING, AMZ_CANCELLED, AMZ_SWALLOWED = EVERYWHERE[:4]
AMZ_STORM: Final = EVERYWHERE[4:8]
TILL_SOLD, TILL_PICKED_UP, TILL_WAITING = EVERYWHERE[8:11]
PO_WHOLE, PO_MORE, PO_SHORT = EVERYWHERE[11:14]
FBA_SOLD, FBA_MCF = BY_AMAZON[:2]

_HEAD = f"""
[locations.{HERE}]
safety_units = 10
why = "what the last count may have missed"

[locations.{FBA}]
kind = "mirror"

[locations.{STORE_1}]
kind = "store"

[locations.{STORE_2}]
kind = "store"
"""

_TAIL = """
[[overrides]]
sku = "LTD-*"
channel = "shopify"
percent = 60
why = "limited: the own shop gets the larger part"

[[overrides]]
sku = "LTD-*"
channel = "outlet"
percent = 25
cap = 60
why = "limited: never more than 60 of anything on the outlet"
"""

_RULES: Final[Mapping[str, str]] = {
    "shopify": f"""
locations = ["{HERE}", "{STORE_1}", "{STORE_2}"]
show_at = "{HERE}"
buffer = 2
hide_at_zero = true
why = "own shop: sells from every shelf"
""",
    "outlet": f"""
locations = ["{HERE}", "{FBA}"]
show = "per_location"
buffer = 5
why = "sells from the warehouse, and what Amazon holds and ships"
""",
    AMAZON: f"""
locations = ["{HERE}", "{FBA}"]
show = "per_location"
buffer = 3
why = "the seller ships from the warehouse; Amazon ships what it holds"
""",
    TILL_LANE: f"""
locations = ["{STORE_1}", "{STORE_2}"]
show = "per_location"
why = "each till shows what its own shop holds"
""",
    GROCER: f"""
locations = ["{HERE}"]
show_at = "{HERE}"
buffer = 20
why = "wholesale: never the last box"
""",
}


def rules(
    accounts: Mapping[str, Played],
    vendor_ids: Mapping[str, Mapping[str, str]],
    options: Mapping[str, Mapping[str, str]],
) -> str:
    """The rule file of the demo.

    vendor_ids    account -> our location -> the vendor's id of it
    options       account -> what its lane must know besides
    """
    parts = [_HEAD]
    for name, account in accounts.items():
        parts.append(
            f'[channels.{name}]\nkind = "{account.kind}"\nbase_url = "{account.base_url}"\n'
            f'account = "{account.account}"{_RULES[name]}'
        )
        if options.get(name):
            parts.append(f"[channels.{name}.options]")
            parts += [f"{option} = {json.dumps(value)}" for option, value in options[name].items()]
        parts.append(f"[channels.{name}.vendor_locations]")
        parts += [f'"{gid}" = "{location}"' for location, gid in vendor_ids[name].items()]
        parts.append("")
    return "\n".join([*parts, _TAIL])


def products(shop: str) -> list[dict[str, object]]:
    """What is listed in a shop before the first number: nothing in stock, but for some leftovers at a store.

    Every third listing would sell below zero, so that a zero alone would not stop it.
    """
    return [
        {
            "title": f"{sku.split('-', 1)[0].title()} {sku.split('-', 1)[1]}",
            "variants": [
                {
                    "sku": sku,
                    "policy": "CONTINUE" if number % 3 == 1 or sku in (HALTED, LAST) else "DENY",
                    "stock": _listed_at(shop, sku),
                }
            ],
        }
        for number, sku in enumerate(SKUS)
        if shop == "outlet" or sku not in BY_AMAZON
    ]


def listed_locations(shop: str) -> Sequence[str]:
    """The locations a shop has at its vendor."""
    return LOCATIONS if shop == "shopify" else (HERE, FBA)


def opening(sku: str) -> dict[str, int]:
    """Units of a SKU when the book is opened, by location; the last one of its kind has few."""
    return {HERE: 12, STORE_1: 1, STORE_2: 1} if sku == LAST else dict(OPENING)


def _listed_at(shop: str, sku: str) -> dict[str, int]:
    if sku in BY_AMAZON:
        return {FBA: 0}
    if shop == "shopify" and sku in LEFT_OVER:
        return {HERE: 0, STORE_1: LEFT_OVER_UNITS}
    return {HERE: 0}
