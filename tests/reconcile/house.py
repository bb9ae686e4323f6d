"""Builders for the tests of reconciliation: a house with targets, and a channel kept in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, text

from channels.base import (
    Binding,
    ChannelError,
    ChannelOrder,
    Known,
    Level,
    Outcome,
    Reading,
    Subscription,
    nothing_known,
)
from tests.servers import Clock, Database

CHANNEL = "shopify"
OSLO = "OSLO"


def furnish(
    engine: Engine,
    targets: Mapping[str | tuple[str, str], int],
    *,
    clock: Clock,
    channel: str = CHANNEL,
    kind: str = "store",
) -> None:
    """A channel that should show `targets`, each confirmed an hour ago and bound as `item-<sku>`."""
    long_ago = clock.now - timedelta(hours=1)
    with engine.begin() as connection:
        _channel(connection, channel, long_ago)
        for key, units in targets.items():
            sku, location = (key, OSLO) if isinstance(key, str) else key
            place = {"c": channel, "s": sku, "l": location, "u": units, "t": long_ago, "k": kind}
            for statement in _PLACE:
                connection.execute(text(statement), place)


def sells(
    database: Database,
    clock: Clock,
    sku: str,
    per_minute: float,
    *,
    fast: float = 0.0,
    each: int = 1,
) -> None:
    """So many lines a minute for sixty days, and `fast` a minute of late."""
    lines, days = per_minute / 60 * 28 * 86_400, timedelta(days=600)
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO pace (sku, channel, location, fast_lines, slow_lines, slow_units, slow_squares, at, since)"
                " VALUES (:s, 'web', :l, :fast, :n, :n * CAST(:each AS integer), :n * 4, :now, :since)"
            ),
            {
                "s": sku,
                "l": OSLO,
                "fast": max(fast, per_minute) * 10,
                "n": lines,
                "each": each,
                "now": clock.now,
                "since": clock.now - days,
            },
        )


def _channel(connection: Connection, channel: str, at: datetime) -> None:
    connection.execute(
        text(
            "INSERT INTO channel (channel, kind, base_url, writes) VALUES (:c, 'memory', '', true)"
            " ON CONFLICT DO NOTHING"
        ),
        {"c": channel},
    )
    connection.execute(
        text(
            "INSERT INTO rule_set (source, document, author, reason, applied_at)"
            " SELECT '', '{}', 'ann', 'first rules', :t WHERE NOT EXISTS (SELECT FROM rule_set)"
        ),
        {"t": at},
    )


_PLACE = (
    "INSERT INTO sku (sku) VALUES (:s) ON CONFLICT DO NOTHING",
    "INSERT INTO location (location, kind) VALUES (:l, :k) ON CONFLICT DO NOTHING",
    "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id, variant_id)"
    " VALUES (:c, :s, :l, 'gid://shopify/InventoryItem/item-' || :s, 'at-' || :l, 'variant-' || :s)",
    "INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)"
    " SELECT :c, :s, :l, :u, 2, max(version), :t FROM rule_set",
    "INSERT INTO shown (channel, sku, location, units, number, confirmed_at)"
    " VALUES (:c, :s, :l, :u, 2, :t)",
)


def pushed(
    engine: Engine,
    sku: str,
    units: int,
    *,
    number: int,
    at: datetime,
    outcome: str = "confirmed",
    expected: int | None = None,
    location: str = OSLO,
    channel: str = CHANNEL,
) -> None:
    """A push that was sent at `at` and answered at once."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO push (push_key, channel, sku, location, units, number, expected, sent_at,"
                " answered_at, outcome) VALUES (:key, :c, :s, :l, :u, :n, :e, :t, :t, :o)"
            ),
            {
                "key": f"{sku}-{number}",
                "c": channel,
                "s": sku,
                "l": location,
                "u": units,
                "n": number,
                "e": expected,
                "t": at,
                "o": outcome,
            },
        )


def rows(engine: Engine, statement: str, **values: object) -> list[tuple[object, ...]]:
    """What a query says, as plain tuples."""
    with engine.begin() as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


@dataclass
class MemoryChannel:
    """A vendor in memory: it shows what it was told, unless a fault says otherwise.

    shows       units per (SKU, location); a place that is not there is absent, None is untracked
    changed     when the vendor last changed a place
    sells       whether a place is on sale; a halt turns it off
    faults      raised by the next calls, one each, first come first served
    calls       every call made, in order
    """

    clock: Clock
    shows: dict[tuple[str, str], int | None] = field(default_factory=dict)
    changed: dict[tuple[str, str], datetime] = field(default_factory=dict)
    policy: dict[tuple[str, str], str] = field(default_factory=dict)
    faults: list[ChannelError] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    ignores_stop: bool = False
    name: str = CHANNEL
    push_rows: int = 250
    direct_rows: int = 250
    settle_s: float = 0.0

    def answers(self, receipt: str, levels: Sequence[Level]) -> list[Outcome] | None:
        return None

    @property
    def vendor_time(self) -> datetime | None:
        return None

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        self._call(f"snapshot {len(bindings)}")
        for binding in bindings:
            place = (binding.sku, binding.location)
            if place in self.shows:
                yield Reading(
                    binding, self.shows[place], None, self.changed.get(place), self.clock.now
                )

    def sale_state(self, binding: Binding) -> Mapping[str, str]:
        self._call(f"sale state {binding.sku} {binding.location}")
        return self._undo(binding)

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        self._call(f"stop {binding.sku} {binding.location}")
        undo = self._undo(binding)
        if not self.ignores_stop:
            place = (binding.sku, binding.location)
            self.policy[place] = "DENY"
            self.shows[place] = 0
        return undo

    def _undo(self, binding: Binding) -> dict[str, str]:
        before = self.policy.get((binding.sku, binding.location), "CONTINUE")
        return {} if before == "DENY" else {"policy": before}

    def resume_sale(self, binding: Binding, undo: Mapping[str, str]) -> None:
        self._call(f"resume {binding.sku} {binding.location}")
        if "policy" in undo:
            self.policy[binding.sku, binding.location] = undo["policy"]

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        raise AssertionError(f"reconciliation never pushes by itself: {key} {levels}")

    def orders_since(self, mark: datetime, known: Known = nothing_known) -> Iterator[ChannelOrder]:
        return iter(())

    def bindings(self, locations: Mapping[str, str]) -> Iterator[Binding]:
        return iter(())

    def subscriptions(self) -> list[Subscription]:
        return []

    def subscribe(self, topics: object, uri: str) -> list[Subscription]:
        return []

    def _call(self, what: str) -> None:
        self.calls.append(what)
        if self.faults:
            raise self.faults.pop(0)
