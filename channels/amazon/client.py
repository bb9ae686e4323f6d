"""The Amazon lane: the channel's port over the Selling Partner API.

What the seller ships is pushed and read back here. What Amazon ships is read only: it counts those units itself, and a
push would convert the offer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from channels.amazon import feeds, inventory, listings, orders, wire
from channels.amazon.api import SellingPartner
from channels.amazon.subscriptions import Pipes, Subscriptions
from channels.base import (
    Binding,
    ChannelOrder,
    Known,
    Level,
    NotSent,
    Outcome,
    Reading,
    Refused,
    Subscription,
    Throttled,
    nothing_known,
)

#: Up to so many rows go one by one and are known at once; more go in one feed (a minute of patches, at five a second).
DIRECT_ROWS: Final = 300
#: Bindings that a full bucket lets us read, of either kind: five calls of twenty, two of fifty.
_A_BURST: Final = 100
#: An accepted write is applied within seconds; it cannot be read back before.
SETTLE_S: Final = 10.0


class Amazon:
    """One seller's account in one marketplace.

    name      the channel's name in our book
    now       the clock, for the time of a reading
    pipes     where Amazon shall send its notifications
    """

    push_rows = feeds.ROWS
    direct_rows = DIRECT_ROWS

    def __init__(
        self,
        name: str,
        api: SellingPartner,
        *,
        now: Callable[[], datetime],
        pipes: Pipes = Pipes(),  # noqa: B008 - frozen, and says nothing
        settle_s: float = SETTLE_S,
        orders_page: int = 100,
    ) -> None:
        self.name = name
        self.api = api
        self.settle_s = settle_s
        self._now = now
        self._subscriptions = Subscriptions(api, pipes, now)
        self._orders_page = orders_page
        #: When a feed may be made again, after Amazon refused one.
        self._no_feed_until: datetime | None = None

    def close(self) -> None:
        """Give the connections back."""
        self.api.close()

    @property
    def vendor_time(self) -> datetime | None:
        """The vendor's clock at its last answer; see `base.Channel`."""
        return self.api.vendor_time

    # ---- what the offers show ----

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        """Show these levels, at most 10,000; see `base.Channel.push`.

        Amazon knows no keys: a repeat writes the same units again. When no feed can be made now the rows go one by
        one, as far as the limit reaches.
        """
        if len(levels) > self.push_rows:
            raise ValueError(f"{len(levels)} levels; one push carries {self.push_rows} at most")
        if len(levels) <= self.direct_rows:
            return listings.push(self.api, levels)
        now = self._now()
        if self._no_feed_until is None or now >= self._no_feed_until:
            try:
                return feeds.push(self.api, levels)
            except Throttled as refusal:
                # Asked again at once, the document would be uploaded each time for a feed that cannot be made.
                self._no_feed_until = now + timedelta(seconds=refusal.retry_after_s)
        first = listings.push(self.api, levels[: self.direct_rows])
        rest = levels[self.direct_rows :]
        dry = next((o.retry_after_s for o in reversed(first) if isinstance(o, NotSent)), None)
        wait_s = (self._no_feed_until - now).total_seconds() if dry is None else dry
        return first + [NotSent(level, wait_s) for level in rest]

    def answers(self, receipt: str, levels: Sequence[Level]) -> list[Outcome] | None:
        """What became of a feed's rows; None while Amazon works on it. See `feeds.answers`."""
        return feeds.answers(self.api, receipt, levels)

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        """Read back: twenty of the seller's offers a call, fifty of Amazon's own stock.

        raises    Throttled in the middle of more than a hundred; what came before is whole up to its last binding but
                  a hundred
        """
        for start in range(0, len(bindings), _A_BURST):
            window = bindings[start : start + _A_BURST]
            yield from self._offers([b for b in window if not listings.is_fba(b)])
            theirs = [binding for binding in window if listings.is_fba(binding)]
            if theirs:
                yield from inventory.snapshot(self.api, theirs, self._now)

    def _offers(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        for start in range(0, len(bindings), listings.AT_ONCE):
            chunk = bindings[start : start + listings.AT_ONCE]
            skus = [binding.item_id for binding in chunk]
            items = {item.sku: item for item in listings.read(self.api, skus)}
            for binding in chunk:
                item = items.get(binding.item_id)
                units = None if item is None else item.units(binding.vendor_location_id)
                yield Reading(binding, units, None, None, self._now())

    # ---- stop and go ----

    def sale_state(self, binding: Binding) -> Mapping[str, str]:
        """The units on offer: all that `stop_sale` changes."""
        _refuse_fba(binding)
        item = listings.one(self.api, binding.item_id)
        if item is not None and item.by_amazon:
            raise listings.converted(binding)
        units = None if item is None else item.units(binding.vendor_location_id)
        if item is None or units is None:
            raise Refused(
                f"Amazon has no offer of {binding.item_id!r} at {binding.vendor_location_id}",
                code="NOT_FOUND",
            )
        return {"units": str(units)}

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        """Set 0 and nothing else: the offer, its price and its handling time stay."""
        state = self.sale_state(binding)
        submission = listings.submit(self.api, binding, 0)
        if submission.status == "INVALID":
            issue = next(iter(submission.issues), None)
            raise Refused(
                f"Amazon does not let {binding.item_id} be set to 0: "
                f"{issue.message if issue else 'it does not say why'}",
                code=(issue.code if issue else "") or "INVALID",
            )
        return state

    def resume_sale(self, binding: Binding, undo: Mapping[str, str]) -> None:
        """Nothing but units was changed, and those come back with the next push: what they were may be sold by now."""
        _refuse_fba(binding)

    # ---- what the account knows ----

    def orders_since(self, mark: datetime, known: Known = nothing_known) -> Iterator[ChannelOrder]:
        """Orders changed at or after `mark`; see `orders.orders_since`."""
        return orders.orders_since(self.api, mark, now=self._now(), page=self._orders_page)

    def bindings(self, locations: Mapping[str, str]) -> Iterator[Binding]:
        """Every listing: what the seller ships at DEFAULT or its supply source, what Amazon ships at FBA."""
        for item in listings.everything(self.api):
            for vendor_location, asin in listings.bindings_of(item):
                location = locations.get(vendor_location)
                if location is not None:
                    yield Binding(
                        channel=self.name,
                        sku=item.sku,
                        location=location,
                        item_id=item.sku,
                        vendor_location_id=vendor_location,
                        variant_id=item.sku,
                        product_id=asin,
                        read_only=vendor_location == wire.FBA,
                    )

    def subscriptions(self) -> list[Subscription]:
        """The notifications that Amazon sends, of those we read."""
        return self._subscriptions.all()

    def subscribe(self, topics: Iterable[str], uri: str) -> list[Subscription]:
        """Create what is missing. Amazon writes to the account's pipes; these post to `uri`, which it never sees."""
        return self._subscriptions.make(topics)


def _refuse_fba(binding: Binding) -> None:
    if listings.is_fba(binding):
        raise Refused(
            f"Amazon: {binding.sku} is shipped by Amazon, which counts it itself; to stop its sale close the offer in "
            "Seller Central",
            code=listings.READ_ONLY,
        )
