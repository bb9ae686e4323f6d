"""Getting to know a channel: look, bind its listings, make it call us. None of it changes a number there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from sqlalchemy import Connection, Engine, text

from allocation import moved
from channels import bindings
from channels.base import Binding, Channel, Subscription
from channels.listings import Assortment
from channels.names import Part
from channels.registry import LANES
from ledger import catalogue, inbox
from ledger.db import transaction
from ledger.events import is_name
from ledger.names import fault_of

_LOCATIONS = text(
    "SELECT vendor_location_id, location FROM channel_location WHERE channel = :channel ORDER BY 1"
)
_SKUS = text("SELECT sku FROM sku WHERE lower(sku) = ANY(CAST(:skus AS text[]))")

_HOOK = text("UPDATE channel SET hook_uri = :uri WHERE channel = :channel")

_UNMAPPED = text("""
    SELECT id, delivery_id, topic, received_at, error FROM inbox
    WHERE source = :channel AND state = 'parked' AND error LIKE '%not mapped:%' ORDER BY id LIMIT :limit
""")


#: Orders that a look reads at most, of the last minutes.
_ORDERS: Final = 20
_RECENT: Final = timedelta(minutes=15)


class NoPlaces(Exception):
    """None of the channel's locations is one of ours, so that none of its listings has a place."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a channel answered, each in numbers of what was read.

    clock_off_s    how far the vendor's clock is ahead of ours, below 0 behind; None where it tells no time
    """

    listed: int
    locations: int
    orders: int
    subscriptions: int
    clock_off_s: float | None


@dataclass(slots=True)
class Mapped:
    """What mapping came to; each problem names the listing and what to do.

    bound      listings at locations;  packs, bundles: how many of the listings are such
    replayed   parked deliveries that were waiting for a name
    """

    bound: int = 0
    packs: int = 0
    bundles: int = 0
    replayed: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A delivery that is parked because something in it has no name of ours."""

    id: int
    delivery_id: str
    topic: str
    received_at: datetime
    error: str


def look(engine: Engine, client: Channel, *, channel: str, now: Callable[[], datetime]) -> Look:
    """One read of everything a channel sells, of its newest orders and of its subscriptions, changing nothing.

    now       the clock, read right after the vendor's answer
    raises    NoPlaces; ChannelError of the first read that is not allowed
    """
    found = list(client.bindings(_locations(engine, channel)))
    orders = list(islice(client.orders_since(now() - _RECENT), _ORDERS))
    subscriptions = client.subscriptions()
    told_at, asked_at = client.vendor_time, now()
    return Look(
        len(found),
        len({b.location for b in found}),
        len(orders),
        len(subscriptions),
        None if told_at is None else (told_at - asked_at).total_seconds(),
    )


def map_channel(
    engine: Engine,
    client: Channel,
    *,
    channel: str,
    now: datetime,
    dry_run: bool,
    add_skus: bool,
    assortment: Assortment | None = None,
) -> Mapped:
    """Bind a channel's listings to our SKUs, by the SKU text that stands at the vendor or as a mapping file says.

    add_skus      make SKUs known that the catalogue lacks, instead of leaving them out
    assortment    packs and bundles; a file with a problem binds nothing
    raises        NoPlaces
    """
    mapped = Mapped()
    assortment = assortment or Assortment()
    if assortment.problems:
        mapped.problems += [f"the mapping file, line {said}" for said in assortment.problems]
        return mapped
    listed = _listed(engine, client, channel, assortment)
    if not listed and not assortment.parts:
        mapped.problems.append(
            f"{channel} lists nothing that can be asked for: give a mapping file"
        )
    named, taken = _named(listed, assortment.parts, mapped)
    unique = _unique(named, mapped)
    with transaction(engine) as connection:
        components = {part.sku for parts in taken.values() for part in parts}
        wanted = {b.sku for b in unique} | components
        if add_skus and not dry_run:
            catalogue.add_skus(connection, {sku: "" for sku in wanted if not fault_of(sku)})
        lowered = sorted({sku.lower() for sku in wanted})
        known = set(connection.execute(_SKUS, {"skus": lowered}).scalars())
        if not dry_run:
            # The bundle itself is a SKU without stock; what it takes must be known.
            whole = [sku for sku, parts in taken.items() if all(p.sku in known for p in parts)]
            catalogue.add_skus(connection, dict.fromkeys(whole, ""))
            known |= set(whole)
        lost = {sku for sku, parts in taken.items() if not all(p.sku in known for p in parts)}
        good = [
            b
            for b in unique
            if b.sku not in lost and (b.sku in known or b.sku in taken or (add_skus and dry_run))
        ]
        _explain_unknown(wanted - set(taken), known, mapped, allowed=add_skus)
        bundled = {b.sku: taken[b.sku] for b in good if b.sku in taken}
        mapped.packs = len({b.sku for b in good if b.pack > 1})
        mapped.bundles = len(bundled)
        if dry_run:
            mapped.bound = len(good)
        else:
            bindings.bundle(connection, bundled, now=now)
            elsewhere = bindings.moved(connection, good)
            mapped.bound = bindings.bind(connection, good, now=now)
            moved.show_anew(connection, elsewhere, now)
            waiting = [row.id for row in unmapped(connection, channel, limit=10_000)]
            mapped.replayed = len(inbox.replay(connection, waiting)) if good else 0
    return mapped


def subscribe(engine: Engine, client: Channel, *, channel: str, uri: str) -> list[Subscription]:
    """Make the channel call us for every topic its lane reads, and remember where."""
    with transaction(engine) as connection:
        kind = bindings.kinds(connection, [channel])[channel]
    made = client.subscribe(sorted(LANES[kind].topics), uri)
    with transaction(engine) as connection:
        connection.execute(_HOOK, {"channel": channel, "uri": uri})
    return made


def unmapped(connection: Connection, channel: str, *, limit: int = 100) -> list[Unmapped]:
    """Deliveries of a channel that wait for a name of ours, oldest first."""
    rows = connection.execute(_UNMAPPED, {"channel": channel, "limit": limit})
    return [Unmapped(*row) for row in rows]


def _locations(engine: Engine, channel: str) -> dict[str, str]:
    with transaction(engine) as connection:
        rows = connection.execute(_LOCATIONS, {"channel": channel})
        places = {row.vendor_location_id: row.location for row in rows}
    if not places:
        raise NoPlaces(
            f"no location of channel {channel!r} is one of ours: name them in vendor_locations of the rules"
        )
    return places


def _listed(engine: Engine, client: Channel, channel: str, assortment: Assortment) -> list[Binding]:
    """What the channel sells. A wholesale partner's catalogue is its own: there the file is all that is known."""
    locations = _locations(engine, channel)
    with transaction(engine) as connection:
        kind = bindings.kinds(connection, [channel])[channel]
    if LANES[kind].lists:
        return list(client.bindings(locations))
    return [
        Binding(channel, item, location, item, vendor_location_id, variant_id=item)
        for item in assortment.parts
        for vendor_location_id, location in locations.items()
    ]


def _named(
    listed: Sequence[Binding], parts: Mapping[str, tuple[Part, ...]], mapped: Mapped
) -> tuple[list[Binding], dict[str, tuple[Part, ...]]]:
    """The listings under our SKUs, and what the bundles among them take.

    A pack whose SKU is also sold by itself is a bundle of one: a SKU has one listing at a place.
    """
    of = {b.variant_id: parts.get(b.sku) or parts.get(b.variant_id) for b in listed}
    alone = Counter(b.sku for b in listed if not of[b.variant_id])
    named: list[Binding] = []
    taken: dict[str, tuple[Part, ...]] = {}
    for b in listed:
        its = of[b.variant_id]
        if not its:
            named.append(b)
        elif len(its) == 1 and not alone[its[0].sku] and _sole(its[0].sku, parts):
            named.append(replace(b, sku=its[0].sku, pack=its[0].units))
        elif any(part.sku == b.sku for part in its):
            mapped.problems.append(
                f"{b.sku!r} would be a part of itself; give the listing a SKU of its own at the vendor"
            )
        else:
            named.append(b)
            taken[b.sku] = its
    nested = sorted({p.sku for its in taken.values() for p in its} & set(taken))
    for sku in nested:
        mapped.problems.append(f"{sku!r} is a bundle and a part of another: name its parts there")
    return [b for b in named if b.sku not in nested], taken


def _sole(sku: str, parts: Mapping[str, tuple[Part, ...]]) -> bool:
    """Whether only one listing of the file takes this SKU."""
    return sum(any(part.sku == sku for part in its) for its in parts.values()) == 1


def _unique(listed: Sequence[Binding], mapped: Mapped) -> list[Binding]:
    """Listings whose SKU text is there and means one item at each location."""
    items = Counter((b.sku, b.location) for b in listed)
    folded: dict[tuple[str, str], set[str]] = {}
    for b in listed:
        folded.setdefault((b.sku.casefold(), b.location), set()).add(b.sku)
    good = []
    for b in listed:
        alike = folded[b.sku.casefold(), b.location] - {b.sku}
        if not b.sku.strip():
            mapped.problems.append(f"{b.variant_id} has no SKU at the vendor; give it one there")
        elif not is_name(b.sku):
            mapped.problems.append(
                f"{b.variant_id} has the SKU {b.sku[:140]!r}, which cannot stand in the book: at most 128 characters,"
                " no control characters, no blanks at the ends"
            )
        elif items[b.sku, b.location] > 1:
            mapped.problems.append(
                f"{b.variant_id} shares the SKU {b.sku!r} with another listing at {b.location}:"
                " one of them needs its own"
            )
        elif alike:
            mapped.problems.append(
                f"{b.variant_id} has the SKU {b.sku!r}, which differs only by case from {sorted(alike)[0]!r}"
                " of another listing: correct one of them at the vendor"
            )
        else:
            good.append(b)
    return good


def _explain_unknown(wanted: set[str], known: set[str], mapped: Mapped, *, allowed: bool) -> None:
    if allowed:
        mapped.problems += [
            f"{fault} at the vendor" for sku in sorted(wanted - known) if (fault := fault_of(sku))
        ]
        return
    near = {sku.lower(): sku for sku in known}
    for sku in sorted(wanted - known):
        other = near.get(sku.lower())
        hint = f"; {other!r} differs only by case" if other else ""
        mapped.problems.append(
            f"{sku!r} is not in the catalogue{hint}: add it (lockstep catalogue add-sku), or map with --add-skus"
        )
