"""Words of the way in: what a delivery says of itself, and the vendor's names for what we call SKU and location."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the headers of a notification say. No signature covers them: hints for routing and deduplication only.

    delivery_id     one per delivery; "" where the vendor sends none
    event_id        shared by all deliveries with one cause, "" where unknown
    account         the vendor's name of the shop or seller
    signature       what `verify` compares the body with
    triggered_at    None when absent or unreadable
    """

    topic: str
    delivery_id: str
    event_id: str
    account: str
    signature: str
    triggered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Part:
    """What one of a vendor's listing takes from our stock: units of one SKU."""

    sku: str
    units: int = 1


@dataclass(frozen=True, slots=True)
class Names:
    """The vendor's ids in our words.

    skus               vendor's variant id -> our SKU
    taken              vendor's variant id -> its parts, where it is a pack or a bundle
    locations          vendor's location id -> our location
    default_location   where an order is served that names no location
    """

    skus: Mapping[str, str]
    locations: Mapping[str, str]
    default_location: str
    taken: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)

    def parts(self, variant: str) -> tuple[Part, ...]:
        """What one of the vendor's variant takes from our stock; empty where it has no name of ours."""
        if variant in self.taken:
            return self.taken[variant]
        sku = self.skus.get(variant)
        return (Part(sku),) if sku is not None else ()

    def marked(self, variant: str) -> tuple[tuple[Part, str], ...]:
        """Its parts, each with what ends the names of its lines and facts: of a bundle `part_mark`, else nothing."""
        parts = self.parts(variant)
        if len(parts) == 1 and parts[0].sku == self.skus.get(variant, parts[0].sku):
            return ((parts[0], ""),)
        return tuple((part, part_mark(part.sku)) for part in parts)


def part_mark(sku: str) -> str:
    """What the name of a line or fact ends with that is about this part of a bundle."""
    return f"#{sku}"


class Unmapped(Exception):
    """A document speaks of something that has no name of ours; it waits until somebody gives it one.

    variants     vendor's variant id -> the vendor's own SKU text, "" where it has none
    locations    vendor's location ids
    """

    def __init__(
        self, *, channel: str, variants: Mapping[str, str], locations: frozenset[str]
    ) -> None:
        self.channel = channel
        self.variants = dict(variants)
        self.locations = locations
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        missing = [
            f"variant {variant} (its SKU there: {sku or 'none'})"
            for variant, sku in sorted(self.variants.items())
        ]
        missing += [f"location {location}" for location in sorted(self.locations)]
        return (
            f"{self.channel}: not mapped: {', '.join(missing)}; "
            "map it with `lockstep channel map`, then replay the delivery"
        )
