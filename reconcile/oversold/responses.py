"""What each response is made of, step by step, and what it costs. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final

from allocation.plays import Play, Response
from reconcile.oversold.types import Case, Kind, Step

#: What one oversold line costs where the house does not say: between 30 and 80 dollars.
USUAL: Final[Mapping[Response, Decimal]] = {
    Response.NOTIFY: Decimal(30),
    Response.HOLD: Decimal(35),
    Response.SPLIT: Decimal(40),
    Response.SUBSTITUTE: Decimal(45),
    Response.REFUND: Decimal(55),
    Response.EXPEDITE: Decimal(80),
}

_STEPS: Final[Mapping[Response, tuple[Kind, ...]]] = {
    Response.HOLD: (Kind.HOLD, Kind.SLACK, Kind.WEBHOOK),
    Response.SUBSTITUTE: (Kind.HOLD, Kind.SLACK, Kind.EMAIL, Kind.WEBHOOK, Kind.HAND),
    Response.SPLIT: (Kind.SLACK, Kind.EMAIL, Kind.WEBHOOK, Kind.HAND),
    Response.EXPEDITE: (Kind.HOLD, Kind.SLACK, Kind.WEBHOOK, Kind.HAND),
    Response.REFUND: (Kind.HOLD, Kind.SLACK, Kind.EMAIL, Kind.WEBHOOK, Kind.HAND),
    Response.NOTIFY: (Kind.SLACK, Kind.EMAIL, Kind.WEBHOOK),
}

_BY_HAND: Final[Mapping[Response, str]] = {
    Response.SUBSTITUTE: "when the customer has agreed, change the line to what is sent instead",
    Response.SPLIT: "ship what is there now and the {units} of {sku} when they come",
    Response.EXPEDITE: "get {units} of {sku} to {location}: buy, or transfer from where there is some",
    Response.REFUND: "refund {units} of {sku} of order {order_id} at {channel} without restocking",
}


def cost_of(
    response: Response,
    units: int,
    *,
    play: Play | None,
    costs: Mapping[Response, Decimal],
    channel_cost: Decimal | None,
) -> Decimal:
    """What making a line good costs: by the play, by the house's list, by the channel's cost a unit, or as usual.

    channel_cost    `cost_oversell` of the channel, for one unit
    """
    if play is not None and play.cost is not None and play.response is response:
        return play.cost
    if response in costs:
        return costs[response]
    return USUAL[response] if channel_cost is None else channel_cost * units


def steps_of(
    case: Case, response: Response, *, by_hand: Mapping[Kind, str], without: Collection[Kind] = ()
) -> list[Step]:
    """The steps of a response, in order.

    by_hand    what a person does instead, of kinds that are not possible here;  without   kinds that are left out
    """
    kinds = [kind for kind in _STEPS[response] if kind not in without]
    return [_step(case, response, kind, by_hand.get(kind, "")) for kind in kinds]


def _step(case: Case, response: Response, kind: Kind, todo: str) -> Step:
    if kind is Kind.HOLD:
        # Once a case, whatever is chosen afterwards; once more when it was let go and is opened again.
        return Step(kind, hold_key(case), todo)
    if kind is Kind.HAND:
        names = ("units", "sku", "location", "order_id", "channel")
        todo = _BY_HAND[response].format_map({name: getattr(case, name) for name in names})
    return Step(kind, f"case-{case.id}-{case.times}-{response.value}-{kind.value}", todo)


def hold_key(case: Case) -> str:
    """The name of the hold at the channel."""
    return f"lockstep-case-{case.id}-{case.times}"


def release_step(case: Case) -> Step:
    """What lets go again what was held."""
    return Step(Kind.RELEASE, f"{hold_key(case)}-release")
