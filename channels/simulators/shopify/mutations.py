"""How mutations are answered: the idempotency gate first, then one function per mutation, all in one act."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.execution.values import get_argument_values, get_directive_values

from channels.simulators.shopify import (
    bulk,
    holds,
    order_mutations,
    product_mutations,
    stocking,
    subscriptions,
    writes,
)
from channels.simulators.shopify.idempotency import MESSAGES, REQUIRED, Kept, Keys
from channels.simulators.shopify.mischief import Mischief
from channels.simulators.shopify.reading import Resolver
from channels.simulators.shopify.shop import Act, Shop
from channels.simulators.shopify.state import Level
from channels.simulators.shopify.writes import UserError

Payload = dict[str, Any]


@dataclass(slots=True)
class Writing:
    """What the mutation side keeps for one call.

    claims    per response key of a root field: what its idempotency key stands for, or the refusal's code
    mischief  what goes wrong with rows although they look written
    touched   levels whose available the call changed, for faults that strike after the write
    """

    claims: dict[str, Kept | str] = field(default_factory=dict)
    mischief: Mischief = field(default_factory=Mischief)
    touched: list[Level] = field(default_factory=list)


def claim_keys(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
    keys: Keys,
    shop: Shop,
) -> dict[str, Kept | str]:
    """Claim the key of every root field that carries `@idempotent`; a blank key counts as none."""
    claims: dict[str, Kept | str] = {}
    root = schema.mutation_type
    directive = schema.get_directive("idempotent")
    if root is None or directive is None:
        return claims
    for node in operation.selection_set.selections:
        if not isinstance(node, FieldNode):
            continue
        name = node.name.value
        found = get_directive_values(directive, node, dict(variables))
        if found and str(found["key"]).strip():
            arguments = get_argument_values(root.fields[name], node, dict(variables))
            shown = node.alias.value if node.alias else name
            claims[shown] = keys.claim(str(found["key"]), name, arguments, shop.clock.now())
    return claims


def user_errors(errors: list[UserError]) -> list[dict[str, object]]:
    return [
        {
            "code": e.code,
            "field": list(e.field) if e.field is not None else None,
            "message": e.message,
        }
        for e in errors
    ]


def _payload(errors: list[UserError], **objects: Any) -> Payload:
    return {**objects, "userErrors": user_errors(errors)}


Mutation = Callable[[Shop, Act, Writing, Mapping[str, Any]], Payload]


def _gated(name: str, run: Mutation) -> Resolver:
    """The resolver of a mutation: refuse or replay by its key, else run it inside one act."""

    def resolve(_: object, info: GraphQLResolveInfo, **args: Any) -> Payload:
        writing: Writing = info.context.writes
        claim = writing.claims.get(str(info.path.key))
        if claim is None and name in REQUIRED:
            raise GraphQLError(
                "The @idempotent directive is required for this mutation but was not provided.",
                extensions={"code": "BAD_REQUEST"},
            )
        if isinstance(claim, str):
            return _refusal(info, claim)
        if claim is not None and claim.state == "done":
            replayed: Payload = claim.outcome
            return replayed
        shop: Shop = info.context.shop
        with shop.act() as act:
            payload = run(shop, act, writing, args)
            writing.touched += act.touched.values()
        if claim is not None:
            claim.state, claim.outcome = "done", payload
        return payload

    return resolve


def _refusal(info: GraphQLResolveInfo, code: str) -> Payload:
    error = UserError(code, None, MESSAGES[code])
    kind: Any = info.return_type
    fields = kind.fields
    payload: Payload = dict.fromkeys(fields)
    for name in fields:
        if name.lower().endswith("usererrors"):
            payload[name] = user_errors([error])
    return payload


def _quantities(
    root: str,
    rows: str,
    write: Callable[[Shop, Act, Mapping[str, Any], Mischief], writes.Outcome],
) -> Mutation:
    def run(shop: Shop, act: Act, writing: Writing, args: Mapping[str, Any]) -> Payload:
        writes.check_size(root, ("input", rows), args["input"][rows])
        group, errors = write(shop, act, args["input"], writing.mischief)
        return _payload(errors, inventoryAdjustmentGroup=group)

    return run


def _activate(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
    level, errors = stocking.activate(shop, act, args)
    return _payload(errors, inventoryLevel=level)


def _deactivate(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
    return _payload(stocking.deactivate(shop, act, args["inventoryLevelId"]))


def _toggle(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
    updates = args["inventoryItemUpdates"]
    writes.check_size("inventoryBulkToggleActivation", ("inventoryItemUpdates",), updates)
    item, levels, errors = stocking.toggle(shop, act, args["inventoryItemId"], updates)
    return _payload(errors, inventoryItem=item, inventoryLevels=levels)


def _variants_update(shop: Shop, act: Act, writing: Writing, args: Mapping[str, Any]) -> Payload:
    product, variants, errors = product_mutations.update_variants(
        shop, act, args, writing.mischief.swallows
    )
    return _payload(errors, product=product, productVariants=variants)


def _product_update(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
    product, errors = product_mutations.update_product(shop, act, args)
    return _payload(errors, product=product)


def _publish(publish: bool) -> Mutation:
    def run(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
        product, errors = product_mutations.publish(shop, act, args, publish=publish)
        return _payload(errors, publishable=product, shop=shop)

    return run


def _item_update(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
    item, errors = product_mutations.update_item(shop, act, args)
    return _payload(errors, inventoryItem=item)


def _subscribe(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
    made, errors = subscriptions.create(shop, act, args["topic"], args["webhookSubscription"])
    return _payload(errors, webhookSubscription=made)


def _resubscribe(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
    changed, errors = subscriptions.update(shop, act, args["id"], args["webhookSubscription"])
    return _payload(errors, webhookSubscription=changed)


def _unsubscribe(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
    deleted, errors = subscriptions.delete(shop, args["id"])
    return _payload(errors, deletedWebhookSubscriptionId=deleted)


def _bulk_run(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
    operation, errors = bulk.start(shop, act, args["query"])
    return _payload(errors, bulkOperation=operation)


def _bulk_cancel(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
    operation, errors = bulk.cancel(shop, act, args["id"])
    return _payload(errors, bulkOperation=operation)


def _order_cancel(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
    errors = order_mutations.cancel(shop, act, args)
    shown = user_errors(errors)
    job = None if errors else {"id": f"gid://shopify/Job/{shop.new_uuid()}", "done": False}
    return {"job": job, "orderCancelUserErrors": shown, "userErrors": shown}


def _refund(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
    made, errors = order_mutations.refund(shop, act, args["input"])
    return _payload(errors, refund=made, order=made.order if made else None)


def _fulfil(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
    made, errors = order_mutations.fulfil(shop, act, args["fulfillment"])
    return _payload(errors, fulfillment=made)


def _hold(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
    made, work, errors = holds.hold(shop, act, args)
    return _payload(
        errors, fulfillmentHold=made, fulfillmentOrder=work, remainingFulfillmentOrder=None
    )


def _release(shop: Shop, act: Act, _: Writing, args: Mapping[str, Any]) -> Payload:
    work, errors = holds.release(shop, act, args)
    return _payload(errors, fulfillmentOrder=work)


_MUTATIONS: Final[dict[str, Mutation]] = {
    "inventorySetQuantities": _quantities(
        "inventorySetQuantities", "quantities", writes.set_quantities
    ),
    "inventoryAdjustQuantities": _quantities(
        "inventoryAdjustQuantities", "changes", writes.adjust_quantities
    ),
    "inventoryMoveQuantities": _quantities(
        "inventoryMoveQuantities", "changes", writes.move_quantities
    ),
    "inventorySetOnHandQuantities": _quantities(
        "inventorySetOnHandQuantities", "setQuantities", writes.set_on_hand
    ),
    "inventoryActivate": _activate,
    "inventoryDeactivate": _deactivate,
    "inventoryBulkToggleActivation": _toggle,
    "inventoryItemUpdate": _item_update,
    "productVariantsBulkUpdate": _variants_update,
    "productUpdate": _product_update,
    "publishablePublish": _publish(True),
    "publishableUnpublish": _publish(False),
    "webhookSubscriptionCreate": _subscribe,
    "webhookSubscriptionUpdate": _resubscribe,
    "webhookSubscriptionDelete": _unsubscribe,
    "bulkOperationRunQuery": _bulk_run,
    "bulkOperationCancel": _bulk_cancel,
    "orderCancel": _order_cancel,
    "refundCreate": _refund,
    "fulfillmentCreate": _fulfil,
    "fulfillmentOrderHold": _hold,
    "fulfillmentOrderReleaseHold": _release,
}

FIELDS: Final[dict[str, dict[str, Resolver]]] = {
    "Mutation": {name: _gated(name, run) for name, run in _MUTATIONS.items()},
}

TABLES: Final = (FIELDS, subscriptions.FIELDS, bulk.FIELDS)
