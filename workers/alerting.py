"""Alerts, put together from the wiring: what is looked at with which limits, and which doors are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.alerts.types import Delivered, Limits
from workers.flows import alerts
from workers.flows.alerts import Watched
from workers.settings import Settings
from workers.wiring import Wiring, now

if TYPE_CHECKING:
    from workers.alerts.doors import Door


def limits_of(settings: Settings) -> Limits:
    """From when on a rule is broken in this installation."""
    return Limits(
        stock_days=settings.alert_stock_days,
        push_age_s=settings.alert_push_age_s,
        inbox_age_s=settings.alert_inbox_age_s,
        capture_s=settings.alert_capture_s,
        drift_s=settings.alert_drift_s,
        window_s=float(settings.reconcile_s),
        halt_percent=settings.halt_percent,
        halt_units=settings.halt_units,
    )


def watch(house: Wiring) -> Watched:
    """Look at every rule that is due."""
    return alerts.watch(
        house.engine,
        now=now(),
        limits=limits_of(house.settings),
        doors=[door.name for door in doors(house)],
        env=house.settings.env,
        pages=house.settings.alert_pages_url,
    )


def deliver(house: Wiring) -> Delivered:
    """Tell every door what waits for it."""
    return alerts.deliver(house.engine, doors(house), now=now)


def doors(house: Wiring) -> list[Door]:
    """The doors of this installation."""
    return house.doors
