"""First contact with a channel: look, bind its listings, make it call us. None of it changes a number there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine, text

from channels import bindings
from channels.base import Binding, Channel, Subscription
from channels.registry import LANES
from ledger import catalogue
from ledger.db import transaction
from ledger.events import is_name

_LOCATIONS = text(
    "SELECT vendor_location_id, location FROM channel_location WHERE channel = :channel ORDER BY 1"
)
_SKUS = text("SELECT sku FROM sku WHERE lower(sku) = ANY(CAST(:skus AS text[]))")


class NoPlaces(Exception):
    """None of the channel's locations is one of ours, so that none of its listings has a place."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a channel answered."""

    listed: int
    locations: int
    subscriptions: int


@dataclass(slots=True)
class Mapped:
    """What mapping came to; each problem names the listing and what to do."""

    bound: int = 0
    problems: list[str] = field(default_factory=list)


def look(engine: Engine, client: Channel, *, channel: str) -> Look:
    """One read of everything a channel sells.

    raises    NoPlaces
    """
    found = list(client.bindings(_locations(engine, channel)))
    return Look(len(found), len({b.location for b in found}), len(client.subscriptions()))


def map_channel(
    engine: Engine, client: Channel, *, channel: str, now: datetime, dry_run: bool, add_skus: bool
) -> Mapped:
    """Bind a channel's listings to our SKUs by the SKU text that stands at the vendor.

    add_skus    make SKUs known that the catalogue lacks, instead of leaving them out
    raises      NoPlaces
    """
    listed = list(client.bindings(_locations(engine, channel)))
    mapped = Mapped()
    unique = _unique(listed, mapped)
    with transaction(engine) as connection:
        if add_skus and not dry_run:
            catalogue.add_skus(connection, {b.sku: "" for b in unique})
        lowered = sorted({b.sku.lower() for b in unique})
        known = set(connection.execute(_SKUS, {"skus": lowered}).scalars())
        good = [b for b in unique if b.sku in known or (add_skus and dry_run)]
        _explain_unknown(unique, known, mapped, allowed=add_skus)
        mapped.bound = len(good) if dry_run else bindings.bind(connection, good, now=now)
    return mapped


def subscribe(engine: Engine, client: Channel, *, channel: str, uri: str) -> list[Subscription]:
    """Make the channel call us for every topic its lane reads."""
    with transaction(engine) as connection:
        kind = bindings.kinds(connection, [channel])[channel]
    return client.subscribe(sorted(LANES[kind].topics), uri)


def _locations(engine: Engine, channel: str) -> dict[str, str]:
    with transaction(engine) as connection:
        rows = connection.execute(_LOCATIONS, {"channel": channel})
        places = {row.vendor_location_id: row.location for row in rows}
    if not places:
        raise NoPlaces(
            f"no location of channel {channel!r} is one of ours: name them in vendor_locations of the rules"
        )
    return places


def _unique(listed: Sequence[Binding], mapped: Mapped) -> list[Binding]:
    """Listings whose SKU text is there and means one item at each location."""
    items = Counter((b.sku, b.location) for b in listed)
    good = []
    for b in listed:
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
        else:
            good.append(b)
    return good


def _explain_unknown(
    unique: Sequence[Binding], known: set[str], mapped: Mapped, *, allowed: bool
) -> None:
    if allowed:
        return
    near = {sku.lower(): sku for sku in known}
    for sku in sorted({b.sku for b in unique} - known):
        other = near.get(sku.lower())
        hint = f"; {other!r} differs only by case" if other else ""
        mapped.problems.append(
            f"{sku!r} is not in the catalogue{hint}: add it (lockstep catalogue add-sku), or map with --add-skus"
        )
