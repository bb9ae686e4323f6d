"""The Square lane: the channel's port over Square's Inventory, Catalog, Orders and Webhook Subscriptions APIs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from channels.base import (
    Binding,
    ChannelOrder,
    Known,
    Level,
    NotSent,
    Outcome,
    Reading,
    Refused,
    Rejected,
    Stale,
    Subscription,
    Throttled,
    Unavailable,
    nothing_known,
)
from channels.http import CONNECT_S, READ_S
from channels.limits import Limiter
from channels.square import catalogue, counts, history, orders, push, subscriptions
from channels.square.api import Api
from channels.square.units import Fractional

#: The newest version we have read the changes of (square/square-python-sdk 45.1.0.20260819).
VERSION: Final = "2026-08-19"
_TRIES_TO_ZERO: Final = 3
#: What a part of a snapshot takes before it tells anything: its variations, their counts.
_CALLS_A_PART: Final = 2


class Square:
    """One seller's account.

    name           the channel's name in our book
    base_url       https://connect.squareup.com, or its sandbox
    token          the access token; never shown in an error
    limiter        the account's bucket of calls
    now            the clock, for the time of a reading
    version        `Square-Version` of every call; either era of moves is spoken
    application_token   the application's own, where `token` is a seller's: subscriptions belong to the application
    only           the vendor's ids of the locations whose orders are read; all of them when empty
    """

    push_rows = push.ROWS
    direct_rows = push.ROWS
    settle_s = 0.0

    def __init__(
        self,
        name: str,
        base_url: str,
        token: str,
        *,
        limiter: Limiter,
        now: Callable[[], datetime],
        version: str = VERSION,
        only: Collection[str] = (),
        application_token: str = "",
        order_page: int = orders.PAGE,
        connect_s: float = CONNECT_S,
        read_s: float = READ_S,
    ) -> None:
        self.name = name
        self._now = now
        self._only = tuple(only)
        self._order_page = order_page
        self._api, self._application = (
            Api(
                base_url, each, version=version, limiter=limiter, connect_s=connect_s, read_s=read_s
            )
            for each in (token, application_token or token)
        )

    def close(self) -> None:
        """Give the connections back."""
        self._api.close()
        self._application.close()

    @property
    def vendor_time(self) -> datetime | None:
        """The vendor's clock at its last answer; see `base.Channel`."""
        return self._api.vendor_time

    # ---- what the account shows ----

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        """Show these levels, at most 1000; see `base.Channel.push` and `push`."""
        if len(levels) > self.push_rows:
            raise ValueError(f"{len(levels)} levels; one push carries {self.push_rows} at most")
        return push.show(self._api, levels, key, self._now) if levels else []

    def answers(self, receipt: str, levels: Sequence[Level]) -> list[Outcome] | None:
        """Never asked: every outcome is known at once."""
        return None

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        """Read back, about 1000 at a time, a SKU never in parts: where the limit ends it, what came before is whole.

        Unknown where there is no row, where Square has stopped counting the variation, and where it counts by measure.
        """
        for part in _parts(bindings):
            self._api.afford(_CALLS_A_PART)
            known = catalogue.variations(self._api, {binding.item_id for binding in part})
            for binding, counted in counts.read(self._api, part, self._now):
                variation = known.get(binding.item_id)
                tracked = variation is not None and variation.is_tracked(binding.vendor_location_id)
                yield Reading(
                    binding=binding,
                    units=_units(counted) if tracked else None,
                    committed=None,
                    updated_at=counted.at,
                    observed_at=self._now(),
                )

    def changes(self, bindings: Sequence[Binding], since: datetime) -> Iterator[history.Change]:
        """Square's own history of these bindings since a moment, of either era: evidence for whoever asks why."""
        items = {binding.item_id for binding in bindings}
        places = {binding.vendor_location_id for binding in bindings}
        return history.between(self._api, items, places, since=since) if bindings else iter(())

    def move(
        self, binding: Binding, to_location: str, units: int, *, at: datetime, key: str
    ) -> history.Change:
        """Move units in stock from the binding's location to another of the vendor's, as its version words it.

        at    when it happened, within the last 24 hours;  key  with the same `at`, a repeat is harmless
        """
        return history.move(
            self._api,
            binding.item_id,
            binding.vendor_location_id,
            to_location,
            units,
            occurred_at=at,
            key=push.derived(key, "move"),
            reference=key,
        )

    # ---- stop and go ----

    def sale_state(self, binding: Binding) -> dict[str, str]:
        """What `stop_sale` would change, as its undo says it."""
        presence = catalogue.presence(self._api, binding)
        state = {"variation_id": binding.item_id, "presence": presence}
        (reading,) = self.snapshot([binding])
        if reading.units is not None:
            state["units"] = str(reading.units)
        return state

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        """Show 0, which stops the online shop, and take the variation out of the location, which stops the till.

        returns   presence and units as they were; `resume_sale` puts the presence back, the units come back with the
                  next push
        raises    Refused when the variation is gone; a repeat after any error is harmless, but then finds it absent
                  already: keep the first `sale_state`
        """
        before = self.sale_state(binding)
        self._show_zero(binding)
        catalogue.stop(self._api, binding, self._halt_key("stop", binding))
        return before

    def resume_sale(self, binding: Binding, undo: Mapping[str, str]) -> None:
        """Put the variation back into the location the way it was there, if it still is as `stop_sale` left it."""
        was = undo.get("presence", catalogue.ABSENT)
        if was != catalogue.ABSENT:
            catalogue.resume(self._api, binding, was, self._halt_key("resume", binding))

    def _show_zero(self, binding: Binding) -> None:
        for _ in range(_TRIES_TO_ZERO):
            (reading,) = self.snapshot([binding])
            if reading.units is None or reading.units <= 0:
                return
            # Named by what was read: a repeat before anything moved is the same call, a later halt is another.
            state = f"{binding.item_id}|{binding.vendor_location_id}|{reading.units}|{reading.updated_at}"
            level = Level(binding, units=0, number=0, expected=reading.units)
            (outcome,) = self.push([level], key=push.derived("halt", state))
            match outcome:
                case Rejected():
                    what = f"Square: {outcome.code}: {outcome.message}"
                    raise Refused(what, code=outcome.code)
                case NotSent():
                    raise Throttled("Square: the halt's zero", retry_after_s=outcome.retry_after_s)
                case Stale():
                    continue
            return
        raise Unavailable(
            f"Square: {binding.sku} at {binding.location} sells faster than it can be set to 0; try again"
        )

    def _halt_key(self, verb: str, binding: Binding) -> str:
        return push.derived(verb, f"{binding.item_id}|{binding.vendor_location_id}")[:64]

    # ---- what the account knows ----

    def orders_since(self, mark: datetime, known: Known = nothing_known) -> Iterator[ChannelOrder]:
        """Orders changed at or after `mark`, at every location; see `orders.orders_since`."""
        return orders.orders_since(self._api, mark, only=self._only, page=self._order_page)

    def bindings(self, locations: Mapping[str, str]) -> Iterator[Binding]:
        """Every variation with a SKU, at each of the given locations where it is sold and counted."""
        return catalogue.bindings(self._api, self.name, locations)

    def subscriptions(self) -> list[Subscription]:
        """Every type of every enabled webhook subscription of the application."""
        return subscriptions.listed(self._application)

    def subscribe(self, topics: Iterable[str], uri: str) -> list[Subscription]:
        """Add what is missing; see `subscriptions.ensure`. The key of a new subscription stands in Square's console."""
        return subscriptions.ensure(self._application, topics, uri, self._now())


def _parts(bindings: Sequence[Binding]) -> Iterator[list[Binding]]:
    """In their order, as many as one call counts; the bindings of a SKU stay together."""
    part: list[Binding] = []
    for _, of_sku in groupby(bindings, key=lambda binding: binding.sku):
        together = list(of_sku)
        if part and len(part) + len(together) > counts.ROWS:
            yield part
            part = []
        part += together
    if part:
        yield part


def _units(counted: counts.Counted) -> int | None:
    try:
        return counted.units
    except Fractional:
        # Never rounded: a number by measure is none that we could compare.
        return None
