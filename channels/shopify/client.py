"""The Shopify lane: the channel's port over the Admin GraphQL API."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar
from urllib.parse import quote

from channels.base import (
    Binding,
    ChannelOrder,
    Known,
    Level,
    Outcome,
    Place,
    Reading,
    Refused,
    Rejected,
    Sighting,
    Stale,
    Subscription,
    Unavailable,
    nothing_known,
)
from channels.http import CONNECT_S, READ_S, Http
from channels.limits import Limiter
from channels.shopify import answers as heard
from channels.shopify import bulk, documents, holding, orders, push, webhook
from channels.shopify.graphql import GraphQL

API_VERSION: Final = "2026-07"
_LEVEL: Final = "gid://shopify/InventoryLevel/"
_VARIANTS_A_PAGE: Final = 100
_TRIES_TO_ZERO: Final = 3
_DENY: Final = "DENY"
_Thing = TypeVar("_Thing")


class Shopify:
    """One shop.

    name          the channel's name in our book
    base_url      https://<shop>.myshopify.com
    token         of the app's Admin API access; never shown in an error
    limiter       the shop's bucket of points
    now           the clock, for the time of a reading
    app           our name in the reference that a merchant sees in Shopify's stock history
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
        api_version: str = API_VERSION,
        app: str = "lockstep",
        connect_s: float = CONNECT_S,
        read_s: float = READ_S,
        sizes: orders.Sizes = orders.SIZES,
    ) -> None:
        self.name = name
        self._now = now
        self._app = app
        self._sizes = sizes
        self._http = Http(
            base_url,
            headers={"X-Shopify-Access-Token": token, "Accept": "application/json"},
            secrets=[token],
            connect_s=connect_s,
            read_s=read_s,
        )
        self._graphql = GraphQL(self._http, f"/admin/api/{api_version}/graphql.json", limiter)

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    @property
    def vendor_time(self) -> datetime | None:
        """The vendor's clock at its last answer; see `base.Channel`."""
        return self._http.vendor_time

    # ---- what the shop shows ----

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        """Show these levels, at most 250; see `base.Channel.push`."""
        if len(levels) > self.push_rows:
            raise ValueError(f"{len(levels)} levels; one push carries {self.push_rows} at most")
        batch = push.Batch(dict(enumerate(levels)), key, self._uri("Push", key))
        outcomes = push.set_levels(self._graphql, batch)
        return [outcomes[place] for place in range(len(levels))]

    def answers(self, receipt: str, levels: Sequence[Level]) -> list[Outcome] | None:
        """Never asked: Shopify answers at once."""
        return None

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        """Read back, 250 at a time: by level id, or by item and location where the level's id is not known yet."""
        by_level = [binding for binding in bindings if binding.level_id.startswith(_LEVEL)]
        by_place: defaultdict[str, list[Binding]] = defaultdict(list)
        for binding in bindings:
            if not binding.level_id.startswith(_LEVEL):
                by_place[binding.vendor_location_id].append(binding)
        for chunk in _chunks(by_level):
            yield from self._read_levels(chunk)
        for location, there in by_place.items():
            for chunk in _chunks(there):
                yield from self._read_items(chunk, location)

    def _read_levels(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        answer = self._graphql.ask(
            documents.READ_LEVELS,
            {"ids": [binding.level_id for binding in bindings]},
            heard.LevelsAnswer,
        )
        found = {node.id: node for node in answer.nodes if isinstance(node, heard.Level)}
        for binding in bindings:
            yield self._reading(binding, found.get(binding.level_id))

    def _read_items(self, bindings: Sequence[Binding], location: str) -> Iterator[Reading]:
        answer = self._graphql.ask(
            documents.READ_ITEMS_AT,
            {"ids": [binding.item_id for binding in bindings], "location": location},
            heard.ItemsAnswer,
        )
        found = {node.id: node.level for node in answer.nodes if isinstance(node, heard.ItemAt)}
        for binding in bindings:
            yield self._reading(binding, found.get(binding.item_id))

    def _reading(self, binding: Binding, level: heard.Level | None) -> Reading:
        units = level.units("available") if level else None
        return Reading(
            binding=binding,
            units=units,
            committed=level.units("committed") if level else None,
            updated_at=level.changed_at if level else None,
            observed_at=self._now(),
        )

    # ---- the whole of it, and what changed ----

    def begin_read_all(self) -> str:
        """Let the vendor export every level; see `bulk.begin`."""
        return bulk.begin(self._graphql)

    def read_all(self, operation_id: str) -> Iterator[Sighting] | None:
        """The export, or None while it is not written; see `bulk.read`."""
        return bulk.read(self._graphql, operation_id)

    def changed_since(self, mark: datetime, locations: Sequence[str]) -> Iterator[Sighting]:
        """Levels at these locations of the vendor that changed since; see `bulk.changed`."""
        return bulk.changed(self._graphql, mark, locations)

    def places(self) -> list[Place]:
        """The shop's locations, those that were closed among them."""
        return bulk.places(self._graphql)

    # ---- stop and go ----

    def sale_state(self, binding: Binding) -> dict[str, str]:
        """What `stop_sale` would change, as its undo says it: a caller can write it down before anything is changed."""
        policy = self._policy(binding)
        state = {"variant_id": policy.id, "product_id": policy.product.id, "policy": policy.policy}
        (reading,) = self.snapshot([binding])
        if reading.units is not None:
            state["units"] = str(reading.units)
        return state

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        """Show 0 and refuse overselling: a zero alone does not stop a variant whose policy is CONTINUE.

        returns   variant_id, product_id, policy and units as they were; `resume_sale` puts the policy back, the units
                  come back with the next push
        raises    Refused when the variant is gone; a repeat after any error is harmless, but then finds DENY already:
                  keep the first `sale_state`
        """
        before = self.sale_state(binding)
        self._show_zero(binding)
        if before["policy"] != _DENY:
            self._set_policies(before["product_id"], {before["variant_id"]: _DENY})
        return before

    def resume_sale(self, binding: Binding, undo: Mapping[str, str]) -> None:
        """Put the policy back, if it still is what `stop_sale` made of it."""
        previous = undo.get("policy", _DENY)
        if previous == _DENY:
            return
        now = self._policy(binding)
        if now.policy == _DENY:
            self._set_policies(now.product.id, {now.id: previous})

    def deny_oversell(self, bindings: Sequence[Binding]) -> dict[str, Mapping[str, str]]:
        """Make zero mean sold out: DENY for every variant that would sell below it. The units stay as they are.

        returns   variant_id -> undo for `resume_sale`, only of the variants that were changed
        """
        undo: dict[str, Mapping[str, str]] = {}
        by_product: defaultdict[str, dict[str, str]] = defaultdict(dict)
        wanted = sorted({binding.variant_id for binding in bindings if binding.variant_id})
        for chunk in _chunks(wanted):
            for policy in self._policies(chunk):
                if policy.policy != _DENY:
                    product = policy.product.id
                    by_product[product][policy.id] = _DENY
                    undo[policy.id] = {
                        "variant_id": policy.id,
                        "product_id": product,
                        "policy": policy.policy,
                    }
        for product, policies in by_product.items():
            self._set_policies(product, policies)
        return undo

    def allow_oversell(
        self, bindings: Sequence[Binding], undo: Mapping[str, Mapping[str, str]]
    ) -> None:
        """Undo `deny_oversell` for these bindings, where nobody has changed the policy meanwhile."""
        for variant_id, binding in {binding.variant_id: binding for binding in bindings}.items():
            if variant_id in undo:
                self.resume_sale(binding, undo[variant_id])

    def _show_zero(self, binding: Binding) -> None:
        for _ in range(_TRIES_TO_ZERO):
            (reading,) = self.snapshot([binding])
            if reading.units is None or reading.units <= 0:
                return
            # Each try is a call of its own: to a key it knows the shop says again what it said, also of a zero that it
            # swallowed. Twice is once all the same, by compare-and-set.
            seen = f"{reading.units}|{reading.updated_at}|{self._now().isoformat()}"
            state = f"{binding.item_id}|{binding.vendor_location_id}|{seen}"
            level = Level(binding, units=0, number=0, expected=reading.units)
            (outcome,) = self.push([level], key=push.derived("halt", state))
            if isinstance(outcome, Rejected):
                raise Refused(f"Shopify: {outcome.code}: {outcome.message}", code=outcome.code)
            if not isinstance(outcome, Stale):
                return
        raise Unavailable(
            f"Shopify: {binding.sku} at {binding.location} sells faster than it can be set to 0; try again"
        )

    def _policy(self, binding: Binding) -> heard.Policy:
        found = list(self._policies([binding.variant_id])) if binding.variant_id else []
        if not found:
            raise Refused(
                f"Shopify: variant {binding.variant_id or '(none)'} of {binding.sku} is not in the shop; "
                "read the bindings again with `lockstep channel map`",
                code="NO_VARIANT",
            )
        return found[0]

    def _policies(self, variant_ids: Sequence[str]) -> Iterator[heard.Policy]:
        answer = self._graphql.ask(
            documents.READ_POLICIES, {"ids": list(variant_ids)}, heard.PoliciesAnswer
        )
        return (node for node in answer.nodes if isinstance(node, heard.Policy))

    def _set_policies(self, product_id: str, policies: Mapping[str, str]) -> None:
        for chunk in _chunks(sorted(policies)):
            variants = [{"id": each, "inventoryPolicy": policies[each]} for each in chunk]
            answer = self._graphql.ask(
                documents.SET_POLICY,
                {"product": product_id, "variants": variants},
                heard.SetPolicyAnswer,
            )
            _refuse(answer.payload.errors)

    def hold_order(self, order: str, line: str, *, key: str, note: str) -> Mapping[str, str]:
        """Keep a line of an order from being shipped; see `holding.hold`."""
        return holding.hold(self._graphql, order, line, key=key, note=note)

    def release_order(self, order: str, *, key: str) -> None:
        """Let go what `hold_order` held; see `holding.release`."""
        holding.release(self._graphql, order, key=key)

    # ---- what the shop knows ----

    def orders_since(self, mark: datetime, known: Known = nothing_known) -> Iterator[ChannelOrder]:
        """Orders changed at or after `mark`; see `orders.orders_since`."""
        return orders.orders_since(self._graphql, mark, self._sizes, known)

    def bindings(self, locations: Mapping[str, str]) -> Iterator[Binding]:
        """Every variant with a SKU whose stock the shop counts, at each of the given locations that stocks it."""
        cursor: str | None = None
        while True:
            page = self._graphql.ask(
                documents.READ_VARIANTS,
                {"first": _VARIANTS_A_PAGE, "after": cursor},
                heard.VariantsAnswer,
            ).variants
            for variant in page.nodes:
                yield from self._bindings_of(variant, locations)
            if not page.page.more:
                return
            cursor = page.page.cursor

    def _bindings_of(
        self, variant: heard.Variant, locations: Mapping[str, str]
    ) -> Iterator[Binding]:
        if not variant.sku or not variant.item.tracked:
            return
        for level in self._levels_of(variant.item):
            location = locations.get(level.location.id)
            if location is not None and level.is_active:
                yield Binding(
                    channel=self.name,
                    sku=variant.sku,
                    location=location,
                    item_id=variant.item.id,
                    vendor_location_id=level.location.id,
                    variant_id=variant.id,
                    product_id=variant.product.id,
                    level_id=level.id,
                )

    def _levels_of(self, item: heard.StockedItem) -> Iterator[heard.StockedAt]:
        levels = item.levels
        yield from levels.nodes
        while levels.page.more:
            further = self._graphql.ask(
                documents.READ_ITEM_LEVELS,
                {"id": item.id, "after": levels.page.cursor},
                heard.ItemLevelsAnswer,
            ).item
            if further is None:
                return
            levels = further.levels
            yield from levels.nodes

    def subscriptions(self) -> list[Subscription]:
        """The webhooks this app created in the shop; those in the app's own configuration file are not among them."""
        found: list[Subscription] = []
        cursor: str | None = None
        while True:
            page = self._graphql.ask(
                documents.READ_SUBSCRIPTIONS, {"after": cursor}, heard.SubscriptionsAnswer
            ).subscriptions
            found += [_subscription(node) for node in page.nodes]
            if not page.page.more:
                return found
            cursor = page.page.cursor

    def subscribe(self, topics: Iterable[str], uri: str) -> list[Subscription]:
        """Create what is missing; the vendor removes a subscription after eight failed deliveries."""
        there = {(each.topic, each.uri) for each in self.subscriptions()}
        created: list[Subscription] = []
        for topic in sorted(set(topics)):
            if (topic, uri) in there:
                continue
            payload = self._graphql.ask(
                documents.SUBSCRIBE,
                {"topic": _enum(topic), "subscription": {"uri": uri, "format": "JSON"}},
                heard.SubscribeAnswer,
            ).payload
            _refuse(payload.errors)
            if payload.subscription is not None:
                created.append(_subscription(payload.subscription))
        return created

    def _uri(self, entity: str, name: str) -> str:
        return f"gid://{self._app}/{entity}/{quote(name, safe='')}"


def _refuse(errors: Sequence[heard.UserError]) -> None:
    if errors:
        first = errors[0]
        raise Refused(
            f"Shopify: {first.code or 'error'}: {first.message}", code=first.code or "USER_ERROR"
        )


def _subscription(node: heard.WebhookSubscription) -> Subscription:
    return Subscription(node.id, _TOPICS.get(node.topic, node.topic), node.uri)


def _enum(topic: str) -> str:
    return topic.upper().replace("/", "_")


#: The enum swallows the slash: INVENTORY_LEVELS_UPDATE could be read two ways, so only known topics are translated.
_TOPICS = {_enum(topic): topic for topic in webhook.KNOWN_TOPICS}


def _chunks(things: Sequence[_Thing]) -> Iterator[Sequence[_Thing]]:
    for start in range(0, len(things), push.ROWS):
        yield things[start : start + push.ROWS]
