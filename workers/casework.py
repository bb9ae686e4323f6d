"""Cases of oversold lines, put together from the wiring: what is possible in this house, and who carries steps out."""

from __future__ import annotations

from collections.abc import Iterable

from channels.base import HoldsOrders, Refused
from channels.registry import LANES
from reconcile.oversold.types import Kind
from workers.flows import case_steps, cases
from workers.flows.case_steps import Acted, Listener, Outside
from workers.flows.cases import Looked, Means
from workers.wiring import NotSetUp, Wiring, now


def means_of(house: Wiring) -> Means:
    """What steps there can be in this installation."""
    # PagerDuty is told only of what somebody must get up for, and this is not.
    doors = tuple(door.name for door in house.doors if door.name != "pagerduty")
    return Means(LANES, doors, webhook=bool(house.settings.case_webhook_url))


def look(house: Wiring) -> Looked:
    """Find oversold lines, and choose for them by the rules."""
    return cases.look(house.engine, means_of(house), now=now())


def act(
    house: Wiring,
    kinds: Iterable[Kind],
    *,
    channel: str | None = None,
    case_id: int | None = None,
) -> Acted:
    """Carry out what is due."""
    return case_steps.act(
        house.engine, _outside(house), now=now, kinds=kinds, channel=channel, case_id=case_id
    )


def _outside(house: Wiring) -> Outside:
    settings = house.settings
    listener = None
    if settings.case_webhook_url:
        secret = settings.case_webhook_secret.get_secret_value()
        listener = Listener(settings.case_webhook_url, secret)

    def holder(channel: str) -> HoldsOrders:
        try:
            found = house.holder(channel)
        except NotSetUp as error:
            raise Refused(str(error), code="NOT_SET_UP") from None
        if found is None:
            raise Refused(f"the API of {channel} holds no orders", code="NO_HOLDS")
        return found

    return Outside(holder, listener, settings.case_email_from)
