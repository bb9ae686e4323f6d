"""Why a channel should show a number: from a target as it was kept, and the ledger behind it, to terms that add up.

Every sum is checked on the way. One that does not hold is a mistake of ours, and is named (`faults`), never smoothed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from allocation import reasons
from allocation.engine import drawn_on
from allocation.escrow import drawn_by
from allocation.holders import Holder
from allocation.reasons import Ground, ground_of
from allocation.types import Rules

#: The terms of a target in the order of computing, with their signs; `pool` and `share` are sums between them.
STEPS: tuple[tuple[str, int], ...] = (
    ("available", 1),
    ("safety", -1),
    ("owed", 1),
    ("pool", 0),
    ("others", -1),
    ("protected", -1),
    ("share", 0),
    ("buffered", -1),
    ("exposed", -1),
    ("capped", -1),
    ("spent", -1),
    ("floored", 1),
    ("cut", -1),
    ("unpacked", -1),
    ("held", -1),
)

#: (SKU, location) whose available units stand behind a number, with the units and the version that were read.
Read: TypeAlias = Mapping[tuple[str, str], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Kept:
    """A target as it was kept when it was computed.

    id       of the row of its history
    terms    what `allocation.target_history.terms_of` said
    """

    id: int
    channel: str
    sku: str
    location: str
    number: int
    units: int
    rule_version: int
    set_at: datetime
    terms: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of the place at the vendor.

    bound   it is listed there now
    told    the channel holds the stock itself and only tells it
    pack    units of ours in one of the vendor's
    """

    kind: str = ""
    bound: bool = False
    told: bool = False
    pack: int = 1
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class Term:
    """One step from what is available to the target.

    units    signed: what the step adds
    sum      what there is after it
    id       of what says so: balances with their versions, the rules' version, a zone, a listing
    """

    name: str
    units: int
    sum: int
    id: str
    why: str


@dataclass(frozen=True, slots=True)
class Explained:
    """The arithmetic of a target.

    terms          those that are not 0, and what is available; together they are the target
    pool, share    the sums on the way
    takes          what the channel takes of its pool, in words
    remark         why there is nothing to compute with; empty where there is
    read           balances that stand behind the number
    faults         sums that do not hold
    """

    terms: tuple[Term, ...]
    pool: int
    share: int
    takes: str
    remark: str
    read: Read
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the ledger that moved a balance.

    units    signed: what it did to the balance
    after    units of the balance then, at `version`
    """

    event_id: str
    kind: str
    source: str
    source_id: str
    occurred_at: datetime
    recorded_at: datetime
    units: int
    after: int
    version: int
    reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class Moved:
    """What events of one kind did to a balance."""

    kind: str
    units: int
    events: int


@dataclass(frozen=True, slots=True)
class Account:
    """The ledger behind one balance: available units of a SKU at a location.

    units, version    as the target was computed from
    kinds, newest     the events up to that version: all by kind, the newest one by one
    since_kinds, since_newest    those after it, which the target does not know
    """

    sku: str
    location: str
    units: int
    version: int
    kinds: tuple[Moved, ...] = ()
    newest: tuple[Entry, ...] = ()
    since_kinds: tuple[Moved, ...] = ()
    since_newest: tuple[Entry, ...] = ()

    @property
    def events(self) -> int:
        """How many events it rests on."""
        return sum(moved.events for moved in self.kinds)

    @property
    def since_units(self) -> int:
        """By how much the balance has moved since."""
        return sum(moved.units for moved in self.since_kinds)

    @property
    def since_events(self) -> int:
        """How many events moved it since."""
        return sum(moved.events for moved in self.since_kinds)

    @property
    def fault(self) -> str:
        """What does not hold of it; empty when all does."""
        booked = sum(moved.units for moved in self.kinds)
        place = f"{self.sku} at {self.location}, version {self.version}"
        if booked != self.units:
            return f"{place}: its events sum to {booked}, the target was computed from {self.units}"
        if self.newest and (self.newest[0].version, self.newest[0].after) != (
            self.version,
            self.units,
        ):
            last = self.newest[0]
            return f"{place}: its last event leaves {last.after} at version {last.version}, not {self.units}"
        return ""


def explain(
    kept: Kept, rules: Rules, listing: Listing, holders: Sequence[Holder] = ()
) -> Explained:
    """The arithmetic of a kept target, in steps with their reasons.

    rules      the version it was computed with, all of it: seasons are looked at here
    holders    places that keep it from rising now
    """
    ground = ground_of(rules, kept.channel, kept.sku, kept.set_at)
    read = _read(kept, ground, listing)
    sums: dict[str, int] = {}
    terms: list[Term] = []
    faults: list[str] = []
    total = 0
    for name, sign in STEPS:
        said = int(kept.terms.get(name, 0))
        total += sign * said
        sums[name] = total
        if sign == 0 and said != total:
            faults.append(f"the terms up to {name} come to {total}, but {name} is {said}")
        if sign and (said or name == "available"):
            why = _why(name, kept, ground, listing, read, total, holders)
            terms.append(Term(name, sign * said, total, _id(name, kept, listing, read), why))
    if total != kept.units:
        faults.append(f"all terms come to {total}, but the target is {kept.units}")
    return Explained(
        tuple(terms),
        sums["pool"],
        sums["share"],
        reasons.takes(ground, kept.terms, told=_is_told(kept, listing)),
        reasons.remark(ground, kept.location, kept.terms, told=_is_told(kept, listing)),
        read,
        (*faults, *_unlike_stock(kept, read)),
    )


def holding(place: tuple[str, str], holders: Sequence[Holder], rules: Rules) -> list[Holder]:
    """Those that keep the number of a place (channel, location) from rising: they hold units of its locations.

    rules    as they are in force now
    """
    drawn = drawn_by(rules, place)
    return [
        holder
        for holder in holders
        if (holder.channel, holder.location, holder.shown_sku) != (*place, holder.sku)
        and drawn & drawn_by(rules, (holder.channel, holder.location))
    ]


def _is_told(kept: Kept, listing: Listing) -> bool:
    """Whether the number is what the channel itself told; of a listing that was lost nothing is told any more."""
    return listing.told and (listing.bound or _is_counted(kept))


def _is_counted(kept: Kept) -> bool:
    """Whether there was anything to compute with."""
    return bool(kept.terms.get("rule")) or "available" in kept.terms


def _read(kept: Kept, ground: Ground, listing: Listing) -> Read:
    """The balances behind the number; one that did not exist had 0 units at version 0."""
    said = {(sku, at): (units, version) for sku, at, units, version in kept.terms.get("stock", ())}
    if not listing.told and ground.channel is None:
        return said
    locations: tuple[str, ...] = (kept.location,)
    if not listing.told and ground.channel is not None:
        locations = drawn_on(ground.channel, kept.location)
    skus = sorted(kept.terms.get("parts", {kept.sku: 1}))
    return {(sku, at): said.get((sku, at), (0, 0)) for at in locations for sku in skus}


def made(kept: Kept, read: Read) -> dict[str, int]:
    """Units by location that the balances come to; of a bundle, as many as its parts make there."""
    parts: Mapping[str, int] = kept.terms.get("parts", {})
    if not parts:
        return {at: units for (_, at), (units, _) in read.items()}
    return {
        at: min(read.get((part, at), (0, 0))[0] // each for part, each in parts.items())
        for at in dict.fromkeys(at for _, at in read)
    }


def _unlike_stock(kept: Kept, read: Read) -> list[str]:
    """What is available must be what the balances come to; parts divided into quotas leave nothing for bundles."""
    if "stock" not in kept.terms or not _is_counted(kept):
        return []
    units = made(kept, read)
    came, available = sum(units.values()), int(kept.terms.get("available", 0))
    most_emptied = sum(n for n in units.values() if n > 0) if "parts" in kept.terms else 0
    if came - most_emptied <= available <= came:
        return []
    return [f"the balances come to {came}, but {available} are said to be available"]


def _id(name: str, kept: Kept, listing: Listing, read: Read) -> str:
    if name in ("available", "owed"):
        return " ".join(f"{sku}/{at}/{version}" for (sku, at), (_, version) in read.items())
    in_zones = name in ("exposed", "held") or (name == "others" and kept.terms.get("quota"))
    if in_zones and kept.terms.get("zones"):
        return " ".join(f"zone {zone['name']}" for zone in kept.terms["zones"])
    if name == "unpacked" and listing.item_id:
        return f"item {listing.item_id}"
    return f"rules {kept.rule_version}"


def _why(
    name: str,
    kept: Kept,
    ground: Ground,
    listing: Listing,
    read: Read,
    total: int,
    holders: Sequence[Holder],
) -> str:
    if name == "available":
        return _of_stock(kept, listing, read)
    if name == "unpacked":
        return f"no whole pack of {listing.pack}" if listing.pack > 1 else "no whole pack"
    drawn = dict.fromkeys(at for _, at in read)
    return reasons.why(name, ground, kept.terms, drawn, total, holders)


def _of_stock(kept: Kept, listing: Listing, read: Read) -> str:
    if "stock" not in kept.terms or not (_is_counted(kept) or _is_told(kept, listing)):
        return "nothing is counted here"
    units = made(kept, read)
    parts: Mapping[str, int] = kept.terms.get("parts", {})
    if not parts:
        held = f"held by {listing.kind.title()}: " if listing.told else ""
        return held + ", ".join(f"{at} {units[at]}" for at in units)
    makes = ", ".join(f"{at} makes {units[at]} ({_parts_at(read, parts, at)})" for at in units)
    said = f"{' + '.join(f'{each} x {part}' for part, each in parts.items())}: {makes}"
    if sum(units.values()) != int(kept.terms.get("available", 0)):
        said += "; where a part is divided into quotas each unit is a channel's already, and no bundle is made"
    return said


def _parts_at(read: Read, parts: Sequence[str] | Mapping[str, int], at: str) -> str:
    return ", ".join(f"{part} {read.get((part, at), (0, 0))[0]}" for part in parts)
