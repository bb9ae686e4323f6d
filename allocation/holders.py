"""Who keeps others from rising: places that show more than they should, why they are not lower yet, and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Holder:
    """A place that keeps numbers of `sku` from rising.

    shown_sku    what it shows: `sku` itself, or a bundle made of it
    units        the most it may be showing, of `shown_sku`;  target  what it should
    missing      units that a reading found gone there and no order has told of
    parked       why its row of the queue waits for a person; empty: it does not
    attempts     how often its number failed to go out
    halt         state of a halt of it; empty: there is none
    """

    sku: str
    channel: str
    location: str
    shown_sku: str
    units: int
    target: int
    missing: int = 0
    paused: bool = False
    paused_why: str = ""
    writes: bool = True
    parked: str = ""
    attempts: int = 0
    halt: str = ""

    @property
    def is_high(self) -> bool:
        """Whether it may show more than it should; else only what was found gone there holds others."""
        return self.units > self.target


def why_not_lower(holder: Holder) -> str:
    """What keeps the place from letting go; empty where nothing does: its lower number is on its way."""
    if not holder.is_high:
        return "no order has told of them yet"
    if holder.paused:
        return f"is paused ({holder.paused_why})"
    if not holder.writes:
        return "is not certified, so that nothing is sent to it"
    if holder.halt:
        return f"is halted ({holder.halt}), and nothing is sent meanwhile"
    if holder.parked:
        return f"is parked ({holder.parked})"
    if holder.attempts:
        return f"did not take its number in {holder.attempts} attempts"
    return ""


def said_of(holder: Holder) -> str:
    """The place, what it shows and why, in words."""
    place = f"{holder.channel}/{holder.location}"
    of = f" of {holder.shown_sku}" if holder.shown_sku != holder.sku else ""
    why = why_not_lower(holder)
    if not holder.is_high:
        return f"{place}, where {holder.missing}{of} were found gone and {why}"
    return f"{place}, which may show {holder.units}{of} and {why or 'is being lowered'}"


def next_step(holder: Holder) -> str:
    """The command that begins to mend it."""
    if not holder.is_high:
        return f"lockstep inbox list --source {holder.channel}"
    if holder.paused:
        return f"lockstep channel resume {holder.channel}"
    if not holder.writes:
        return f"lockstep channel certify {holder.channel}"
    if holder.halt:
        return f"lockstep halt list --channel {holder.channel}"
    if holder.parked:
        return f"lockstep push parked --channel {holder.channel}"
    return f"lockstep channel test {holder.channel}"
