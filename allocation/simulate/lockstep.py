"""What the engine would have shown: told of each sale after a while, knowing only what it could know then.

The ledger hears of a channel's sale after `hear_s` and computes anew; what changed shows after a drawn time, a rise
`RISE_WAIT_S` later. Where the vendor compares before it sets, a change waits its turn, and then the latest number is
set; one that does not know of an own sale of the channel is refused, and sent again after a reading. Elsewhere each
number travels by itself, never overtaken by an older one, and writes over a sale that was not heard of yet.
Orders of wholesale partners are promised by the ledger itself when it hears of them: their number only informs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random

from allocation import engine
from allocation.escrow import Hold, bounds, hold_rises
from allocation.simulate.delays import draw_s
from allocation.simulate.paces import Paces
from allocation.simulate.plan import Part, Plan
from allocation.simulate.types import Line, Place
from allocation.simulate.world import Sale, World, take_what_is_shown
from allocation.types import Outlook, Rules, Target

#: A rise waits so long for orders that are still coming in.
RISE_WAIT_S = 1.0

#: Kinds of vendor that set a number only if theirs is the one expected.
CAREFUL = frozenset({"shopify", "square"})
#: Kinds whose orders the ledger itself promises.
PROMISED = frozenset({"edi"})


@dataclass(slots=True)
class _Screen:
    """One number of one channel: what it should be, what we believe it is, and what is on its way.

    believed    as of `believed_at`, less the channel's own sales heard of since
    number      of the target; rises with every change
    rise        number of the rise that waits to be queued
    calls       number when it was queued -> units then; landed: the last one that arrived
    sold        units of own sales; heard: those the ledger knows, seen: those it or a reading knows
    missing     own sales that a reading has shown and nobody told of yet
    """

    place: Place
    careful: bool
    target: int = 0
    believed: int = 0
    believed_at: float = 0.0
    number: int = 0
    rise: int = -1
    landed: int = -1
    calls: dict[int, int] = field(default_factory=dict)
    sold: int = 0
    heard: int = 0
    seen: int = 0
    missing: int = 0

    def is_under_way(self) -> bool:
        """Whether the target needs no more than to wait."""
        return bool(self.calls) if self.careful else self.number in self.calls

    def most(self) -> int:
        """The most it may be showing, or come to show by what is on its way."""
        if self.careful or not self.calls:
            return self.believed
        return max(self.believed, *self.calls.values())

    def hold(self) -> Hold:
        """What may not be given to others yet."""
        waits = bool(self.calls) or self.rise == self.number
        return Hold(self.most(), self.target if waits else 0, self.missing)


class Lockstep:
    """The engine at work on one SKU."""

    def __init__(self, plan: Plan, seed: Random) -> None:
        self._plan = plan
        self._seed = seed
        self._book: dict[str, int] = {}
        self._paces = Paces(plan.seasons.start)
        self._screens: dict[Place, _Screen] = {}
        self._places: dict[int, list[Place]] = {}
        self._scarce: dict[int, frozenset[str]] = {}
        self._held: set[int] = set()
        self._look_at: dict[int, float] = {}
        self._sales: list[tuple[float, str, int]] = []

    def begins(self, world: World) -> None:
        """All channels begin in step."""
        self._book = dict(world.truth)
        for place in world.shown:
            kind = world.layout.kinds[place[0]]
            self._screens[place] = _Screen(place, kind in CAREFUL)
        for part in self._plan.parts:
            self._places[part.number] = [p for p in part.places if p in self._screens]
            self._decide(world, part, 0.0)
        for place, screen in self._screens.items():
            screen.believed = screen.target
            world.show(place, screen.target, 0.0)
        for at in self._plan.seasons.turns_s:
            for part in self._plan.parts:
                self._compute_later(world, part, at)

    def wanted(self, world: World, line: Line, place: Place) -> None:
        """A shop takes what it shows; a partner's order is promised when it comes in."""
        if world.layout.kinds[line.channel] in PROMISED:
            heard_at = line.at + self._plan.delay(line.channel).hear_s
            world.later(heard_at, lambda now: self._promise(world, line, place, now))
        else:
            take_what_is_shown(world, self, line, place)

    def sold(self, world: World, sale: Sale) -> None:
        """The ledger will hear of it."""
        self._screens[sale.place].sold += sale.accepted
        heard_at = sale.at + self._plan.delay(sale.line.channel).hear_s
        world.later(heard_at, lambda now: self._hear(world, sale, now))

    def moved(self, world: World, location: str, units: int, at: float) -> None:
        """The ledger hears from whoever moves the stock, at once."""
        self._book[location] = self._book.get(location, 0) + units
        part = self._plan.part_of(location)
        if part is not None:
            self._compute(world, part, at)

    def _promise(self, world: World, line: Line, place: Place, at: float) -> None:
        offered = sum(self._book.get(location, 0) for location in world.layout.draws[place])
        if line.channel in self._plan.shares:
            offered = min(offered, self._screens[place].target)
        sale = world.take(line, place, offered, at)
        if sale.accepted:
            self._write_down(world, sale, at)

    def _hear(self, world: World, sale: Sale, at: float) -> None:
        screen = self._screens[sale.place]
        screen.heard += sale.accepted
        screen.seen = max(screen.seen, screen.heard)
        if sale.at > screen.believed_at:
            screen.believed -= sale.accepted
        else:
            screen.missing = max(0, screen.missing - sale.accepted)
        self._write_down(world, sale, at)

    def _write_down(self, world: World, sale: Sale, at: float) -> None:
        for location, units in sale.taken:
            self._book[location] -= units
        served = sale.taken[0][0] if sale.taken else world.layout.draws[sale.place][0]
        self._paces.add(sale.line.channel, served, sale.accepted, sale.at)
        if self._plan.seasons.has_quotas:
            self._sales.append((sale.at, sale.line.channel, sale.accepted))
        part = self._plan.part_of(served)
        if part is not None:
            self._compute(world, part, at)

    def _compute(self, world: World, part: Part, at: float) -> None:
        self._decide(world, part, at)
        for place in self._places[part.number]:
            self._settle(world, part, self._screens[place], at)

    def _compute_later(self, world: World, part: Part, at: float) -> None:
        world.later(at, lambda now: self._compute(world, part, now))

    def _decide(self, world: World, part: Part, at: float) -> None:
        """New targets for the places of a part."""
        places = self._places[part.number]
        if not places:
            return
        rules = part.rules(at)
        paces, look_again = self._paces.at(at)
        outlook = Outlook(
            paces=paces,
            lags=self._plan.lags,
            scarce=self._scarce.get(part.number, frozenset()),
            sold=self._sold(rules),
            tier=self._plan.tiers.get(world.stream.sku),
        )
        allotment = engine.compute(world.stream.sku, self._book, rules, places, outlook)
        self._scarce[part.number] = allotment.scarce
        targets: Iterable[Target] = allotment.targets
        limits = bounds(allotment, rules)
        if limits:
            holds = {place: self._screens[place].hold() for place in places}
            targets = hold_rises(targets, limits, holds)
        self._held.discard(part.number)
        for target in targets:
            screen = self._screens[target.channel, target.location]
            if target.held:
                self._held.add(part.number)
            if target.units != screen.target:
                screen.target = target.units
                screen.number += 1
        if look_again is not None and self._look_at.get(part.number, -1.0) <= at:
            self._look_at[part.number] = look_again
            self._compute_later(world, part, look_again)

    def _sold(self, rules: Rules) -> Mapping[str, int]:
        """Units that channels with a quota sold since it began."""
        if not self._sales:
            return {}
        since = self._plan.seasons.quotas_since(rules)
        return {
            channel: sum(u for at, of, u in self._sales if of == channel and at >= begun)
            for channel, begun in since.items()
        }

    def _settle(self, world: World, part: Part, screen: _Screen, at: float) -> None:
        """Queue what is to be sent of a number."""
        if screen.is_under_way() or (screen.target == screen.believed and not screen.calls):
            return
        if screen.target <= screen.most():
            self._queue(world, part, screen, at)
        elif screen.rise != screen.number:
            screen.rise = number = screen.number

            def waited(now: float) -> None:
                if screen.rise == screen.number == number and not screen.is_under_way():
                    self._queue(world, part, screen, now)

            world.later(at + RISE_WAIT_S, waited)

    def _queue(self, world: World, part: Part, screen: _Screen, at: float) -> None:
        number, screen.rise = screen.number, -1
        screen.calls[number] = screen.target

        def arrives(now: float) -> None:
            units = screen.calls.pop(number)
            if screen.careful:
                self._set_carefully(world, screen, now)
            elif number > screen.landed:
                screen.landed, screen.believed, screen.believed_at = number, units, now
                world.show(screen.place, units, now)
            if part.number in self._held:
                self._compute(world, part, now)
            else:
                self._settle(world, part, screen, now)

        world.later(at + draw_s(self._plan.delay(screen.place[0]), self._seed), arrives)

    def _set_carefully(self, world: World, screen: _Screen, at: float) -> None:
        """Set the latest number, unless the channel has sold what we do not know of: then it is read back."""
        if screen.sold != screen.seen:
            shown = world.shown[screen.place]
            screen.missing += max(0, screen.believed - shown)
            screen.believed, screen.seen = shown, screen.sold
        elif screen.target <= screen.believed or screen.rise != screen.number:
            # A rise that still waits for orders goes out in its own time.
            screen.believed = screen.target
            world.show(screen.place, screen.target, at)
        screen.believed_at = at
