"""A channel that sells in packs: our units become the vendor's on the way out, and come back as ours on the way in.

A target of a pack listing is a whole number of packs (`allocation`), so nothing is lost by dividing. What is read
back is a whole number of packs by nature.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from channels.base import (
    Binding,
    Channel,
    ChannelOrder,
    Known,
    Level,
    Outcome,
    Reading,
    Subscription,
    nothing_known,
)


class Packed:
    """A channel as the house sees it: every number is in our units, whatever a listing's pack is."""

    def __init__(self, vendor: Channel) -> None:
        self.vendor = vendor
        self.name = vendor.name
        self.push_rows = vendor.push_rows
        self.direct_rows = vendor.direct_rows
        self.settle_s = vendor.settle_s

    @property
    def vendor_time(self) -> datetime | None:
        """See `base.Channel`."""
        return self.vendor.vendor_time

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        """See `base.Channel`."""
        outcomes = self.vendor.push([_packed(level) for level in levels], key=key)
        return _ours(outcomes, levels)

    def answers(self, receipt: str, levels: Sequence[Level]) -> list[Outcome] | None:
        """See `base.Channel`."""
        outcomes = self.vendor.answers(receipt, [_packed(level) for level in levels])
        return None if outcomes is None else _ours(outcomes, levels)

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        """See `base.Channel`."""
        for reading in self.vendor.snapshot(bindings):
            yield unpacked(reading)

    def sale_state(self, binding: Binding) -> Mapping[str, str]:
        """See `base.Channel`; what it returns is the vendor's own, for the vendor."""
        return self.vendor.sale_state(binding)

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        """See `base.Channel`."""
        return self.vendor.stop_sale(binding)

    def resume_sale(self, binding: Binding, undo: Mapping[str, str]) -> None:
        """See `base.Channel`."""
        self.vendor.resume_sale(binding, undo)

    def orders_since(self, mark: datetime, known: Known = nothing_known) -> Iterator[ChannelOrder]:
        """See `base.Channel`."""
        return self.vendor.orders_since(mark, known)

    def bindings(self, locations: Mapping[str, str]) -> Iterator[Binding]:
        """See `base.Channel`."""
        return self.vendor.bindings(locations)

    def subscriptions(self) -> list[Subscription]:
        """See `base.Channel`."""
        return self.vendor.subscriptions()

    def subscribe(self, topics: Iterable[str], uri: str) -> list[Subscription]:
        """See `base.Channel`."""
        return self.vendor.subscribe(topics, uri)


def unpacked(reading: Reading) -> Reading:
    """A vendor's reading in our units."""
    pack = reading.binding.pack
    if pack == 1:
        return reading

    def ours(packs: int | None) -> int | None:
        return None if packs is None else packs * pack

    return replace(
        reading,
        units=ours(reading.units),
        committed=ours(reading.committed),
        said=ours(reading.said),
    )


def _packed(level: Level) -> Level:
    pack = level.binding.pack
    if pack == 1:
        return level
    expected = None if level.expected is None else level.expected // pack
    return replace(level, units=level.units // pack, expected=expected)


def _ours(outcomes: Sequence[Outcome], levels: Sequence[Level]) -> list[Outcome]:
    return [replace(outcome, level=level) for outcome, level in zip(outcomes, levels, strict=True)]
