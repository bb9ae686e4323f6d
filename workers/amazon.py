"""What Amazon alone needs, put together from the wiring: the mirror of its network, and its API for commands."""

from __future__ import annotations

from datetime import datetime

from channels.amazon.api import SellingPartner
from channels.amazon.client import Amazon
from channels.packs import Packed
from workers.flows import mirror
from workers.flows.mirror import MirrorReport, Terms
from workers.wiring import NotSetUp, Wiring


def api_of(house: Wiring, channel: str) -> SellingPartner:
    """The Selling Partner API of a channel. Raises NotSetUp when it is none of Amazon's, or lacks a secret."""
    client = house.client(channel)
    vendor = client.vendor if isinstance(client, Packed) else client
    if not isinstance(vendor, Amazon):
        raise NotSetUp(f"channel {channel!r} is not at Amazon: see `lockstep channel list`")
    return vendor.api


def open_mirror(house: Wiring) -> None:
    """Open the mirror's window of this moment; whoever works on it is rung like every other job."""
    mirror.open_windows(house.engine, now=house.now(), window_s=house.settings.reconcile_s)


def mirror_channel(house: Wiring, channel: str, window_at: str) -> MirrorReport:
    """Read what Amazon says of its stock, tell the book, explain the changes."""
    return mirror.mirror(
        house.engine,
        api_of(house, channel),
        channel=channel,
        window_at=datetime.fromisoformat(window_at),
        now=house.now,
        terms=Terms.of(house.settings),
    )
