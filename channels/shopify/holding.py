"""Holds: a fulfillment order that is held is not shipped, whoever works on it, until the hold is released.

Every hold of ours has a handle, which names it among our own on that fulfillment order: a hold that is asked for twice
is there once. Needs the scopes `read_merchant_managed_fulfillment_orders` and `write_...` of the same.
Source: https://shopify.dev/docs/api/admin-graphql/2026-07/mutations/fulfillmentOrderHold
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from channels.base import Refused
from channels.http import Json
from channels.shopify import documents, wire
from channels.shopify.answers import Gid, UserError
from channels.shopify.graphql import GraphQL
from channels.shopify.order_nodes import Page

_HOLDABLE: Final = frozenset({"OPEN", "SCHEDULED", "ON_HOLD"})
_ORDER: Final = "gid://shopify/Order/"
#: Somebody asked twice at once: the hold is there.
_THERE: Final = "DUPLICATE_FULFILLMENT_HOLD_HANDLE"
_GONE: Final = "FULFILLMENT_ORDER_NOT_FOUND"
_NO_ORDER: Final = "NO_ORDER"


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class _Hold(Gid):
    handle: str | None = None
    ours: bool = Field(alias="heldByRequestingApp")


class _Assigned(_Answer):
    remaining: int = Field(alias="remainingQuantity")
    line: Gid = Field(alias="lineItem")


class _Lines(_Answer):
    page: Page = Field(alias="pageInfo")
    nodes: tuple[_Assigned, ...]


class _Work(Gid):
    """A fulfillment order."""

    status: str
    holds: tuple[_Hold, ...] = Field(alias="fulfillmentHolds")
    lines: _Lines = Field(alias="lineItems")

    def serves(self, line: str) -> bool:
        """Whether units of this order line are still to be shipped from it."""
        # Beyond 250 lines nobody looks: such a fulfillment order is held to be sure.
        return self.lines.page.more or any(
            str(wire.number_of(each.line.id)) == line and each.remaining
            for each in self.lines.nodes
        )


class _Works(_Answer):
    page: Page = Field(alias="pageInfo")
    nodes: tuple[_Work, ...]


class _Order(_Answer):
    works: _Works = Field(alias="fulfillmentOrders")


class WorkAnswer(_Answer):
    """An order's fulfillment orders; null when there is no such order."""

    order: _Order | None


class _Held(_Answer):
    hold: Gid | None = Field(alias="fulfillmentHold")
    errors: tuple[UserError, ...] = Field(alias="userErrors")


class HoldAnswer(_Answer):
    """fulfillmentOrderHold."""

    payload: _Held = Field(alias="fulfillmentOrderHold")


class _Released(_Answer):
    errors: tuple[UserError, ...] = Field(alias="userErrors")


class ReleaseAnswer(_Answer):
    """fulfillmentOrderReleaseHold."""

    payload: _Released = Field(alias="fulfillmentOrderReleaseHold")


def hold(graphql: GraphQL, order: str, line: str, *, key: str, note: str) -> dict[str, str]:
    """Hold every fulfillment order that is to ship a line of an order.

    order, line    their numbers, as orders are booked
    key            handle of the hold, at most 64 characters; the same again is harmless
    note           what the merchant reads beside the hold
    returns        hold gid -> fulfillment order gid; what `release` needs
    raises         Refused when nothing of the line is left to be held
    """
    works = [each for each in _works(graphql, order) if each.serves(line)]
    open_ = [each for each in works if each.status in _HOLDABLE]
    if not open_:
        said = ", ".join(sorted({each.status.lower() for each in works})) or "shipped or cancelled"
        raise Refused(
            f"Shopify: line {line} of order {order} cannot be held: it is {said}; call the warehouse",
            code="NOT_HOLDABLE",
        )
    wish = {"reason": "INVENTORY_OUT_OF_STOCK", "reasonNotes": note, "handle": key}
    for work in open_:
        if not any(each.ours and each.handle == key for each in work.holds):
            asked: Mapping[str, Json] = {"id": work.id, "hold": wish}
            payload = graphql.ask(documents.HOLD_WORK, asked, HoldAnswer).payload
            _refuse([error for error in payload.errors if error.code != _THERE])
    return {hold_id: work for work, hold_id in _ours(graphql, order, key)}


def release(graphql: GraphQL, order: str, *, key: str) -> None:
    """Release our holds of this handle; what is not held (any more), or not there, is not missed."""
    try:
        held = list(_ours(graphql, order, key))
    except Refused as error:
        if error.code != _NO_ORDER:
            raise
        return
    for work, hold_id in held:
        asked = {"id": work, "holds": [hold_id]}
        payload = graphql.ask(documents.RELEASE_WORK, asked, ReleaseAnswer).payload
        _refuse([error for error in payload.errors if error.code != _GONE])


def _ours(graphql: GraphQL, order: str, key: str) -> Iterator[tuple[str, str]]:
    """(fulfillment order, hold) of this handle, as the shop has them."""
    for work in _works(graphql, order):
        for each in work.holds:
            if each.ours and each.handle == key:
                yield work.id, each.id


def _works(graphql: GraphQL, order: str) -> Iterator[_Work]:
    cursor: str | None = None
    while True:
        asked: Mapping[str, str | None] = {"id": f"{_ORDER}{order}", "after": cursor}
        found = graphql.ask(documents.READ_WORK, asked, WorkAnswer).order
        if found is None:
            raise Refused(f"Shopify: there is no order {order} in the shop", code=_NO_ORDER)
        yield from found.works.nodes
        if not found.works.page.more:
            return
        cursor = found.works.page.cursor


def _refuse(errors: list[UserError]) -> None:
    if errors:
        first = errors[0]
        code = first.code or "USER_ERROR"
        raise Refused(f"Shopify: {code}: {first.message}", code=code)
