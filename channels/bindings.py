"""Our SKUs and locations on each channel, and the vendor's names for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from channels.base import Binding
from channels.names import Names, Part
from ledger.store import WRITERS_GATE

_KINDS = text(
    "SELECT channel, kind FROM channel WHERE channel = ANY(CAST(:channels AS text[])) ORDER BY channel"
)

_VARIANTS = text("""
    SELECT DISTINCT binding.variant_id, binding.sku, binding.pack, bundle.component, bundle.units
    FROM binding LEFT JOIN bundle ON bundle.sku = binding.sku
    WHERE binding.channel = :channel AND binding.variant_id = ANY(CAST(:ids AS text[]))
    ORDER BY 1, 2, 4
""")

_LOCATIONS = text("""
    SELECT channel_location.vendor_location_id, channel_location.location,
           channel.options ->> 'default_location' AS usual
    FROM channel LEFT JOIN channel_location USING (channel)
    WHERE channel = :channel
    ORDER BY channel_location.vendor_location_id
""")

_OF_CHANNEL = text("""
    SELECT channel, sku, location, item_id, vendor_location_id, variant_id, product_id, level_id, pack,
           read_only
    FROM binding
    WHERE channel = :channel
      AND (CAST(:skus AS text[]) IS NULL OR sku = ANY(CAST(:skus AS text[])))
    ORDER BY sku, location
""")

_BIND = text("""
    INSERT INTO binding (channel, sku, location, item_id, vendor_location_id, variant_id, product_id, level_id, pack,
                         read_only)
    SELECT channel, sku, location, item_id, vendor_location_id, variant_id, product_id, level_id, pack, read_only
    FROM unnest(CAST(:channels AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:items AS text[]),
                CAST(:vendor_locations AS text[]), CAST(:variants AS text[]), CAST(:products AS text[]),
                CAST(:levels AS text[]), CAST(:packs AS integer[]), CAST(:read_only AS boolean[]))
         AS given (channel, sku, location, item_id, vendor_location_id, variant_id, product_id, level_id, pack,
                   read_only)
    ORDER BY channel, sku, location
    ON CONFLICT (channel, sku, location) DO UPDATE SET
        item_id = excluded.item_id, vendor_location_id = excluded.vendor_location_id,
        variant_id = excluded.variant_id, product_id = excluded.product_id, level_id = excluded.level_id,
        pack = excluded.pack, read_only = excluded.read_only
""")

# A listing that got another SKU text at the vendor: its place was bound under the old one.
_UNBIND_MOVED = text("""
    DELETE FROM binding
    USING unnest(CAST(:channels AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:items AS text[]),
                 CAST(:vendor_locations AS text[])) AS given (channel, sku, location, item_id, vendor_location_id)
    WHERE binding.channel = given.channel AND binding.item_id = given.item_id
      AND binding.vendor_location_id = given.vendor_location_id
      AND (binding.sku, binding.location) <> (given.sku, given.location)
    RETURNING binding.sku
""")

# A listing whose stock the channel has taken over, or given back, has no place of the other kind. A number sent to the
# old one would turn it back.
_UNBIND_TURNED = text("""
    DELETE FROM binding
    USING unnest(CAST(:channels AS text[]), CAST(:items AS text[]), CAST(:read_only AS boolean[]))
          AS given (channel, item_id, read_only)
    WHERE binding.channel = given.channel AND binding.item_id = given.item_id
      AND binding.read_only <> given.read_only
      AND (binding.channel, binding.sku, binding.location) NOT IN (
          SELECT channel, sku, location
          FROM unnest(CAST(:channels AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]))
               AS bound (channel, sku, location))
    RETURNING binding.sku
""")

# What was not bound until now may have been once: what was shown then says nothing.
_MOVED = text("""
    SELECT given.channel, given.sku, given.location FROM binding b
    RIGHT JOIN unnest(CAST(:channels AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]),
                      CAST(:items AS text[]), CAST(:vendor_locations AS text[]), CAST(:packs AS integer[]),
                      CAST(:read_only AS boolean[]))
         AS given (channel, sku, location, item_id, vendor_location_id, pack, read_only)
         USING (channel, sku, location)
    WHERE b.item_id IS NULL OR (b.item_id, b.vendor_location_id, b.pack, b.read_only)
          <> (given.item_id, given.vendor_location_id, given.pack, given.read_only)
    ORDER BY 1, 2, 3
""")

_ALONE = text("SELECT pg_advisory_xact_lock(:gate)")

_UNBUNDLE = text("DELETE FROM bundle WHERE sku = ANY(CAST(:skus AS text[]))")

_BUNDLE = text("""
    INSERT INTO bundle (sku, component, units)
    SELECT sku, component, units
    FROM unnest(CAST(:skus AS text[]), CAST(:components AS text[]), CAST(:units AS integer[]))
         AS given (sku, component, units)
    ORDER BY sku, component
""")

_DUE = text("""
    INSERT INTO due (sku, since) SELECT sku, :now FROM unnest(CAST(:skus AS text[])) AS given (sku) ORDER BY sku
    ON CONFLICT (sku) DO UPDATE SET since = excluded.since WHERE excluded.since < due.since
""")


def kinds(connection: Connection, channels: Collection[str]) -> dict[str, str]:
    """The kind of each of these channels that is set up."""
    rows = connection.execute(_KINDS, {"channels": sorted(channels)})
    return {row.channel: row.kind for row in rows}


def names(connection: Connection, channel: str, vendor_ids: Collection[str]) -> Names:
    """What the vendor's ids mean to us: variants to SKUs, locations to locations."""
    variants = connection.execute(_VARIANTS, {"channel": channel, "ids": sorted(vendor_ids)}).all()
    skus = {row.variant_id: row.sku for row in variants}
    taken: dict[str, tuple[Part, ...]] = {}
    for row in variants:
        if row.component is not None:
            part = Part(row.component, row.units * row.pack)
            taken[row.variant_id] = (*taken.get(row.variant_id, ()), part)
        elif row.pack > 1:
            taken[row.variant_id] = (Part(row.sku, row.pack),)
    rows = connection.execute(_LOCATIONS, {"channel": channel}).all()
    return Names(
        skus=skus,
        locations={row.vendor_location_id: row.location for row in rows if row.vendor_location_id},
        default_location=next((row.usual for row in rows if row.usual), ""),
        taken=taken,
    )


def of_channel(
    connection: Connection, channel: str, skus: Sequence[str] | None = None
) -> list[Binding]:
    """The bindings of a channel, of all SKUs or of these."""
    wanted = sorted(skus) if skus is not None else None
    return [
        Binding(*row)
        for row in connection.execute(_OF_CHANNEL, {"channel": channel, "skus": wanted})
    ]


def bundle(connection: Connection, bundles: Mapping[str, Sequence[Part]], *, now: datetime) -> None:
    """Say what these SKUs take from others, instead of what was said before, and mark them due."""
    if not bundles:
        return
    # Who writes the book asks what takes from what moves: nobody may ask while it is being said anew.
    connection.execute(_ALONE, {"gate": WRITERS_GATE})
    skus = sorted(bundles)
    rows = [(sku, part) for sku in skus for part in bundles[sku]]
    connection.execute(_UNBUNDLE, {"skus": skus})
    connection.execute(
        _BUNDLE,
        {
            "skus": [sku for sku, _ in rows],
            "components": [part.sku for _, part in rows],
            "units": [part.units for _, part in rows],
        },
    )
    connection.execute(_DUE, {"skus": skus, "now": now})


def moved(connection: Connection, bound: Sequence[Binding]) -> list[tuple[str, str, str]]:
    """(channel, SKU, location) of those bound to another listing, one of another size, or none until now."""
    values = _places(bound) | {
        "packs": [b.pack for b in bound],
        "read_only": [b.read_only for b in bound],
    }
    return [(row.channel, row.sku, row.location) for row in connection.execute(_MOVED, values)]


def bind(connection: Connection, bound: Iterable[Binding], *, now: datetime) -> int:
    """Write bindings down, replacing older ones of the same (channel, SKU, location), and mark their SKUs due.

    A vendor's item that was bound to another SKU is bound to this one only. One whose stock the channel holds by now,
    or holds no more, loses its places of the other kind.
    """
    rows = list(bound)
    if not rows:
        return 0
    places = _places(rows)
    left = set(connection.execute(_UNBIND_MOVED, places).scalars())
    read_only = [b.read_only for b in rows]
    left |= set(connection.execute(_UNBIND_TURNED, places | {"read_only": read_only}).scalars())
    connection.execute(
        _BIND,
        {
            **places,
            "variants": [b.variant_id for b in rows],
            "products": [b.product_id for b in rows],
            "levels": [b.level_id for b in rows],
            "packs": [b.pack for b in rows],
            "read_only": read_only,
        },
    )
    connection.execute(_DUE, {"skus": sorted({b.sku for b in rows} | left), "now": now})
    return len(rows)


def _places(rows: Sequence[Binding]) -> dict[str, object]:
    return {
        "channels": [b.channel for b in rows],
        "skus": [b.sku for b in rows],
        "locations": [b.location for b in rows],
        "items": [b.item_id for b in rows],
        "vendor_locations": [b.vendor_location_id for b in rows],
    }
