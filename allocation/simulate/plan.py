"""What is the same for all SKUs of a simulation: the rules by season, their independent parts, and the lags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from allocation.planning.tiers import Tier
from allocation.simulate.delays import lag_of
from allocation.simulate.seasons import Seasons
from allocation.simulate.types import Delay, Delays, Place
from allocation.simulate.world import Layout
from allocation.types import Lag, Rules


@dataclass(frozen=True, slots=True)
class Part:
    """Locations that no number shares with others, so that their numbers can be computed by themselves.

    places       that draw on them, sorted
    by_season    the rules with these locations alone
    """

    number: int
    places: tuple[Place, ...]
    seasons: Seasons
    by_season: tuple[Rules, ...]

    def rules(self, seconds: float) -> Rules:
        """The rules in force."""
        return self.by_season[self.seasons.index(seconds)]


class Plan:
    """The rules taken apart, and how far each channel is behind.

    tiers     of SKUs, where numbers go by them
    parts     those whose numbers are ours to decide
    shares    channels whose partners are promised at most what they are shown
    """

    def __init__(
        self,
        seasons: Seasons,
        layout: Layout,
        delays: Delays,
        tiers: Mapping[str, Tier] = MappingProxyType({}),
    ) -> None:
        self.seasons = seasons
        self.tiers = tiers
        self._delays = delays
        self.lags: Mapping[str, Lag] = {
            channel.name: lag_of(delays.of(channel.name)) for channel in seasons.rules.channels
        }
        self.shares = frozenset(
            c.name for c in seasons.rules.channels if c.options.get("promise") == "share"
        )
        self.parts: list[Part] = []
        self._part_of: dict[str, Part] = {}
        for number, locations in enumerate(_groups(list(layout.draws.values()))):
            places = tuple(sorted(p for p, of in layout.draws.items() if locations & set(of)))
            if not layout.mirrors.issuperset(places):
                part = Part(number, places, seasons, seasons.cut_to(locations))
                self.parts.append(part)
                self._part_of |= dict.fromkeys(locations, part)

    def delay(self, channel: str) -> Delay:
        """The delay of a channel."""
        return self._delays.of(channel)

    def part_of(self, location: str) -> Part | None:
        """The part that a location belongs to; None where no number of ours draws on it."""
        return self._part_of.get(location)


def _groups(drawn: Sequence[tuple[str, ...]]) -> list[set[str]]:
    """Locations grouped so that whatever is drawn on together is in one group."""
    groups: list[set[str]] = []
    for locations in drawn:
        joined = [group for group in groups if group & set(locations)]
        groups = [group for group in groups if not group & set(locations)]
        groups.append(set(locations).union(*joined))
    return groups
