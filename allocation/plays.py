"""The playbook: what is done about an order line that was accepted and is not there, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from allocation.rules import is_meant
from allocation.types import ALWAYS, Span, Which


class Response(StrEnum):
    """What is done about an oversold line. A closed list."""

    HOLD = "hold"
    SUBSTITUTE = "substitute"
    SPLIT = "split"
    EXPEDITE = "expedite"
    REFUND = "refund"
    NOTIFY = "notify"


@dataclass(frozen=True, slots=True)
class Play:
    """What is done about oversold lines of some SKUs and channels.

    channel         None is every channel
    least_value     only lines worth at least so much, in the money of the house
    cost            what it costs to make such a line good; None: as for every line of that response
    wait_minutes    so long nothing is done, because stock may come by itself
    """

    which: Which
    channel: str | None
    response: Response
    least_value: Decimal | None = None
    cost: Decimal | None = None
    wait_minutes: float = 0.0
    why: str = ""
    span: Span = ALWAYS


@dataclass(frozen=True, slots=True)
class Playbook:
    """All plays, in the order of the file; `costs` is what a line costs by its response, `tags` as in `Rules`."""

    plays: tuple[Play, ...] = ()
    costs: Mapping[Response, Decimal] = field(default_factory=dict)
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def play_for(
    playbook: Playbook, sku: str, channel: str, value: Decimal | None, at: datetime
) -> Play | None:
    """The first play that fits a line; None where a person has to choose.

    value    what the line is worth; None is not known, and no play that asks for a value fits
    """
    return next(
        (play for play in playbook.plays if _fits(play, playbook, sku, channel, value, at)), None
    )


def _fits(
    play: Play, playbook: Playbook, sku: str, channel: str, value: Decimal | None, at: datetime
) -> bool:
    if play.channel not in (None, channel) or not play.span.holds(at):
        return False
    if play.least_value is not None and (value is None or value < play.least_value):
        return False
    return is_meant(play.which, sku, playbook.tags)
