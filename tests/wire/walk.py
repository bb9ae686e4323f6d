"""One walk through everything a lane's port can do, over a simulator that misbehaves on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from channels.base import Binding, Channel, ChannelError, Level


class Rig(Protocol):
    """What the walk needs of a lane's rig; see `tests/channels/contract.py` for what each does."""

    @property
    def channel(self) -> Channel: ...
    def unknown(self, binding: Binding) -> Binding: ...
    def stranger(self) -> Channel: ...
    def drift(self, sku: str, units: int) -> None: ...
    def fault(self, kind: str, **how: object) -> None: ...
    def clear_faults(self) -> None: ...
    def advance(self, seconds: float) -> None: ...
    def order(self, sku: str, units: int) -> str: ...
    def now(self) -> datetime: ...


def walk(rig: Rig, topics: Sequence[str], locations: Mapping[str, str]) -> None:
    """Every verb of `channels.base.Channel`, with rows the vendor takes, refuses and does not know.

    locations   the vendor's location ids to ours, for `bindings`
    """
    bindings = {binding.sku: binding for binding in rig.channel.bindings(locations)}
    first = bindings["SKU-A"]
    mark = rig.now()
    rig.advance(2)
    _push(rig, bindings, first)
    _read(rig, bindings, first)
    _halt(rig, first)
    rig.order("SKU-B", 2)
    rig.advance(300)
    list(rig.channel.orders_since(mark))
    rig.channel.subscribe(topics, "https://relay.example.com/hooks")
    rig.channel.subscriptions()
    with suppress(ChannelError):
        rig.stranger().push([Level(first, 4, 9)], key="stranger")


def _push(rig: Rig, bindings: Mapping[str, Binding], first: Binding) -> None:
    levels = [Level(binding, 7, 1, expected=10) for binding in bindings.values()]
    rig.channel.push(levels, key="all")
    rig.advance(10)
    lost = Level(rig.unknown(first), 7, 1)
    rig.channel.push([lost, Level(first, 6, 2, expected=7)], key="with one unknown")
    rig.advance(10)
    rig.drift("SKU-A", -1)
    rig.channel.push([Level(first, 5, 3, expected=6)], key="stale")
    rig.advance(10)
    for fault in ("throttle", "server_error", "reset_after_apply", "truncate"):
        rig.fault(fault, count=1, status=502, seconds=1)
        with suppress(ChannelError):
            rig.channel.push([Level(first, 4, 4)], key=f"with {fault}")
        rig.clear_faults()
        rig.advance(30)
    rig.channel.push([Level(first, 0, 5)], key="sold out")
    rig.advance(10)
    rig.channel.push([Level(first, 9, 6)], key="in stock")
    rig.advance(10)


def _read(rig: Rig, bindings: Mapping[str, Binding], first: Binding) -> None:
    list(rig.channel.snapshot(list(bindings.values())))
    list(rig.channel.snapshot([rig.unknown(first), replace(first, level_id="")]))
    rig.advance(10)


def _halt(rig: Rig, first: Binding) -> None:
    undo = rig.channel.stop_sale(first)
    rig.advance(10)
    rig.channel.stop_sale(first)
    rig.advance(10)
    rig.channel.resume_sale(first, undo)
    rig.advance(10)
