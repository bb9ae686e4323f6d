"""Zones: groups of locations that the same channels draw on. Inside a zone every channel competes for every unit.

Channels with the same pool make one zone. Where pools only overlap, each group is divided by itself: that keeps the sum
of all parts within what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

#: Hundred percent, in the hundredths of `Rule.claim`.
WHOLE = 10_000


@dataclass(frozen=True, slots=True)
class Member:
    """A channel that sells the SKU, as far as dividing goes.

    locations  its pool; of a channel that shows each by itself, those where the SKU is listed
    alone      it shows each location by itself
    percent    its claim is a part of 100
    claim      percent in hundredths or weight; 0 sees the whole zone
    floor      fewest units, never above the cap
    cap        most units it may show, where what is cut off may go to others; None is no limit
    buffer     units taken off what it has
    cut_off    it shows nothing while its pool has fewer
    spreads    what a limit cuts off of its share goes to others
    risk       chance it may take of selling a unit that is gone; None is the house's
    plain      its vendor takes any number, also one that does not know of a sale
    told       locations whose stock it holds itself: it shows all of it, whatever we say
    """

    channel: str
    locations: tuple[str, ...]
    alone: bool
    percent: bool
    claim: int
    floor: int
    cap: int | None
    buffer: int = 0
    cut_off: int = 0
    spreads: bool = False
    risk: float | None = None
    plain: bool = False
    told: tuple[str, ...] = ()

    @property
    def divides(self) -> bool:
        """Whether it takes a part of its own, rather than seeing what others see."""
        return self.claim > 0 or self.percent


@dataclass(frozen=True, slots=True, eq=False)
class Zone:
    """Locations whose units the same channels compete for; `zones_of` makes each once, so that identity compares.

    name       its locations, joined by +
    members    those channels, in the order of the rule file
    held       hundredths of 100 percent that the file gives to nobody
    keys       of each member: (channel, the location it shows alone, or "")
    whole      of each member: whether the zone is all that its number draws on
    """

    name: str
    locations: tuple[str, ...]
    members: tuple[Member, ...]
    held: int
    keys: tuple[tuple[str, str], ...]
    whole: tuple[bool, ...]


@lru_cache(maxsize=4096)
def zones_of(
    members: tuple[Member, ...], locations: tuple[str, ...], held: tuple[int, ...]
) -> tuple[Zone, ...]:
    """The zones of one SKU.

    members      channels that sell it
    locations    all of the house, with `held` for each: what the percents there leave to 100, in hundredths
    """
    grouped: dict[tuple[object, ...], list[str]] = {}
    here: dict[tuple[object, ...], tuple[tuple[Member, ...], int]] = {}
    for location, kept in zip(locations, held, strict=True):
        drawing = tuple(m for m in members if location in m.locations)
        alone = location if any(m.alone for m in drawing) else ""
        key = (kept, alone, *(m.channel for m in drawing))
        grouped.setdefault(key, []).append(location)
        here[key] = drawing, kept
    return tuple(_zone(tuple(names), *here[key]) for key, names in grouped.items() if here[key][0])


def _zone(locations: tuple[str, ...], members: tuple[Member, ...], held: int) -> Zone:
    keys = tuple((member.channel, locations[0] if member.alone else "") for member in members)
    whole = tuple(m.alone or set(m.locations) <= set(locations) for m in members)
    return Zone("+".join(locations), locations, members, held, keys, whole)


def held_back(claims: Sequence[tuple[tuple[str, ...], int]], location: str) -> int:
    """The part of 100 that the file gives to nobody at a location; it stays back also when a channel is missing.

    claims    (locations, percent in hundredths) of every channel with a percent
    """
    given = sum(percent for locations, percent in claims if location in locations)
    return max(0, WHOLE - given) if given else 0
