"""Builders of cases: a place with a target of 30 that was confirmed an hour ago, and read just now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from reconcile.types import (
    Case,
    LastShown,
    Observation,
    OpenDrift,
    SentPush,
    Target,
    Waiting,
)

READ_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    """So long before the reading."""
    return READ_AT - timedelta(seconds=seconds)


def a_push(
    units: int,
    number: int,
    *,
    sent_s_ago: float = 3600,
    outcome: str = "confirmed",
    expected: int | None = None,
) -> SentPush:
    """A push that was answered as soon as it was sent; its id is ten times its number."""
    at = ago(sent_s_ago)
    return SentPush(number * 10, units, number, expected, at, at, outcome, "")


def a_wait(*, since_s_ago: float, parked: bool = False) -> Waiting:
    """A row of the push queue."""
    at = ago(since_s_ago)
    return Waiting(at, at, 0, parked, "INVALID_ITEM" if parked else None)


def a_case(
    read: int | None,
    *,
    target: int = 30,
    number: int = 2,
    set_s_ago: float = 3600,
    pushes: tuple[SentPush, ...] | None = None,
    shown: int | None = 30,
    shown_number: int = 2,
    confirmed_s_ago: float = 3600,
    updated_s_ago: float | None = None,
    waiting: Waiting | None = None,
    recompute_s_ago: float | None = None,
    unseen: int = 0,
    delivery_waiting: bool = False,
    throttled: bool = False,
    orders_mark: datetime | None = None,
    mirror: bool = False,
    halt_state: str | None = None,
    times: int = 0,
) -> Case:
    """A place with only what matters said. `pushes` defaults to the one that was confirmed."""
    return Case(
        sku="TEA-1",
        location="OSLO",
        target=Target(target, number, ago(set_s_ago)),
        reading=Observation(read, None if updated_s_ago is None else ago(updated_s_ago), READ_AT),
        mirror=mirror,
        unseen_units=unseen,
        delivery_waiting=delivery_waiting,
        recompute_since=None if recompute_s_ago is None else ago(recompute_s_ago),
        throttled_until=READ_AT + timedelta(seconds=9) if throttled else None,
        orders_mark=orders_mark,
        shown=LastShown(shown, shown_number, ago(confirmed_s_ago)),
        waiting=waiting,
        pushes=(a_push(30, 2, sent_s_ago=confirmed_s_ago),) if pushes is None else pushes,
        halt_state=halt_state,
        halt_id=7 if halt_state else None,
        open_drift=OpenDrift(1, 30, read or 0, times, None) if times else None,
    )
