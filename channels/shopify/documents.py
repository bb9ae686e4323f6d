"""The GraphQL documents we send, each valid against the Admin schema 2026-07.

`cost` is the price estimated for the first call (objects 1, a mutation 10, a connection of n about 2 ln n times
its node); from then on the vendor's own `requestedQueryCost` counts. No document may cost more than 1000 points.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Document:
    """A GraphQL operation. A read may be repeated at once; a write only with its idempotency key."""

    text: str
    cost: int
    is_read: bool = True


SET_AVAILABLE: Final = Document(
    """
mutation SetAvailable($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}""",
    cost=13,
    is_read=False,
)

_LEVEL = """
fragment Shown on InventoryLevel {
  id
  isActive
  updatedAt
  item { id tracked }
  location { id }
  quantities(names: ["available", "committed"]) { name quantity updatedAt }
}"""

READ_LEVELS: Final = Document(
    "query ReadLevels($ids: [ID!]!) { nodes(ids: $ids) { ... on InventoryLevel { ...Shown } } }"
    + _LEVEL,
    cost=5,
)

READ_ITEMS_AT: Final = Document(
    """
query ReadItemsAt($ids: [ID!]!, $location: ID!) {
  nodes(ids: $ids) {
    ... on InventoryItem { id inventoryLevel(locationId: $location, includeInactive: true) { ...Shown } }
  }
}"""
    + _LEVEL,
    cost=6,
)

READ_POLICIES: Final = Document(
    """
query ReadPolicies($ids: [ID!]!) {
  nodes(ids: $ids) { ... on ProductVariant { id inventoryPolicy product { id } } }
}""",
    cost=3,
)

SET_POLICY: Final = Document(
    """
mutation SetPolicy($product: ID!, $variants: [ProductVariantsBulkInput!]!) {
  productVariantsBulkUpdate(productId: $product, variants: $variants, allowPartialUpdates: false) {
    productVariants { id inventoryPolicy }
    userErrors { code field message }
  }
}""",
    cost=12,
    is_read=False,
)

READ_VARIANTS: Final = Document(
    """
query ReadVariants($first: Int!, $after: String) {
  productVariants(first: $first, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes {
      id
      sku
      product { id }
      inventoryItem {
        id
        tracked
        inventoryLevels(first: 50) {
          pageInfo { hasNextPage endCursor }
          nodes { id isActive location { id } }
        }
      }
    }
  }
}""",
    cost=200,
)

READ_ITEM_LEVELS: Final = Document(
    """
query ReadItemLevels($id: ID!, $after: String) {
  inventoryItem(id: $id) {
    inventoryLevels(first: 250, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes { id isActive location { id } }
    }
  }
}""",
    cost=26,
)

_ORDER = """
fragment Line on LineItem {
  id
  sku
  quantity
  currentQuantity
  unfulfilledQuantity
  isGiftCard
  variant { id inventoryItem { id tracked } }
}
fragment Carried on FulfillmentLineItemConnection {
  pageInfo { hasNextPage endCursor }
  nodes { quantity lineItem { id } }
}
fragment GivenBack on RefundLineItemConnection {
  pageInfo { hasNextPage endCursor }
  nodes { id quantity restockType location { id } lineItem { id } }
}
fragment Assigned on FulfillmentOrderLineItemConnection {
  pageInfo { hasNextPage endCursor }
  nodes { totalQuantity remainingQuantity lineItem { id } }
}
fragment Whole on Order {
  id
  createdAt
  updatedAt
  cancelledAt
  returnStatus
  retailLocation { id }
  lineItems(first: $lines, after: $linesAfter) {
    pageInfo { hasNextPage endCursor }
    nodes { ...Line }
  }
  fulfillments(first: $parts) {
    id
    status
    createdAt
    updatedAt
    location { id }
    fulfillmentLineItems(first: $lines) { ...Carried }
  }
  refunds(first: $parts) {
    id
    createdAt
    processedAt
    return { id }
    refundLineItems(first: $lines) { ...GivenBack }
  }
  fulfillmentOrders(first: $works) {
    pageInfo { hasNextPage endCursor }
    nodes {
      status
      assignedLocation { location { id } }
      lineItems(first: $lines) { ...Assigned }
    }
  }
}"""

READ_CHANGES: Final = Document(
    """
query ReadChanges($search: String!, $first: Int!, $after: String) {
  orders(first: $first, after: $after, query: $search, sortKey: UPDATED_AT) {
    pageInfo { hasNextPage endCursor }
    nodes { id updatedAt }
  }
}""",
    cost=14,
)

#: By their ids, since a list of nodes costs what one of them does, and a page of a connection many times that.
READ_ORDERS: Final = Document(
    """
query ReadOrders($ids: [ID!]!, $lines: Int!, $parts: Int!, $works: Int!, $linesAfter: String) {
  nodes(ids: $ids) { ... on Order { ...Whole } }
}"""
    + _ORDER,
    cost=160,
)

READ_ORDER: Final = Document(
    """
query ReadOrder($id: ID!, $lines: Int!, $parts: Int!, $works: Int!, $linesAfter: String) {
  order(id: $id) { ...Whole }
}"""
    + _ORDER,
    cost=130,
)

READ_FULFILLMENT_LINES: Final = Document(
    """
query ReadFulfillmentLines($id: ID!, $first: Int!, $after: String) {
  node(id: $id) {
    ... on Fulfillment {
      fulfillmentLineItems(first: $first, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { quantity lineItem { id } }
      }
    }
  }
}""",
    cost=25,
)

READ_REFUND_LINES: Final = Document(
    """
query ReadRefundLines($id: ID!, $first: Int!, $after: String) {
  node(id: $id) {
    ... on Refund {
      refundLineItems(first: $first, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { id quantity restockType location { id } lineItem { id } }
      }
    }
  }
}""",
    cost=36,
)

READ_RETURNS: Final = Document(
    """
query ReadReturns($id: ID!, $after: String) {
  order(id: $id) {
    returns(first: 5, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes {
        id
        reverseFulfillmentOrders(first: 10) {
          pageInfo { hasNextPage endCursor }
          nodes {
            lineItems(first: 250) {
              pageInfo { hasNextPage endCursor }
              nodes {
                fulfillmentLineItem { lineItem { id } }
                dispositions { id type quantity createdAt location { id } }
              }
            }
          }
        }
      }
    }
  }
}""",
    cost=700,
)

READ_SUBSCRIPTIONS: Final = Document(
    """
query ReadSubscriptions($after: String) {
  webhookSubscriptions(first: 250, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes { id topic uri format }
  }
}""",
    cost=13,
)

SUBSCRIBE: Final = Document(
    """
mutation Subscribe($topic: WebhookSubscriptionTopic!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $subscription) {
    webhookSubscription { id topic uri format }
    userErrors { field message }
  }
}""",
    cost=10,
    is_read=False,
)

READ_WORK: Final = Document(
    """
query ReadWork($id: ID!, $after: String) {
  order(id: $id) {
    fulfillmentOrders(first: 10, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes {
        id
        status
        fulfillmentHolds { id handle heldByRequestingApp }
        lineItems(first: 250) { pageInfo { hasNextPage endCursor } nodes { remainingQuantity lineItem { id } } }
      }
    }
  }
}""",
    cost=120,
)

HOLD_WORK: Final = Document(
    """
mutation HoldWork($id: ID!, $hold: FulfillmentOrderHoldInput!) {
  fulfillmentOrderHold(id: $id, fulfillmentHold: $hold) {
    fulfillmentHold { id }
    userErrors { code field message }
  }
}""",
    cost=11,
    is_read=False,
)

RELEASE_WORK: Final = Document(
    """
mutation ReleaseWork($id: ID!, $holds: [ID!]!) {
  fulfillmentOrderReleaseHold(id: $id, holdIds: $holds) {
    fulfillmentOrder { id }
    userErrors { code field message }
  }
}""",
    cost=11,
    is_read=False,
)

#: The whole catalogue in one export. Each level names its own item, so that no line of the file needs another one:
#: the vendor promises only that a child comes somewhere after its parent.
_EVERY_LEVEL = """
{
  inventoryItems {
    edges {
      node {
        id
        inventoryLevels(includeInactive: true) {
          edges {
            node {
              id
              isActive
              updatedAt
              item { id tracked }
              location { id }
              quantities(names: ["available", "committed"]) { name quantity updatedAt }
            }
          }
        }
      }
    }
  }
}"""

BEGIN_READ_ALL: Final = Document(
    f"""
mutation BeginReadAll {{
  bulkOperationRunQuery(groupObjects: false, query: {json.dumps(_EVERY_LEVEL)}) {{
    bulkOperation {{ id status }}
    userErrors {{ code field message }}
  }}
}}""",
    cost=10,
    is_read=False,
)

READ_BULK: Final = Document(
    """
query ReadBulk($id: ID!) {
  bulkOperation(id: $id) { id status errorCode objectCount url partialDataUrl }
}""",
    cost=1,
)

READ_CHANGED: Final = Document(
    """
query ReadChanged($location: ID!, $search: String!, $first: Int!, $after: String) {
  location(id: $location) {
    inventoryLevels(first: $first, after: $after, query: $search, includeInactive: true) {
      pageInfo { hasNextPage endCursor }
      nodes { ...Shown }
    }
  }
}"""
    + _LEVEL,
    cost=70,
)

READ_LOCATIONS: Final = Document(
    """
query ReadLocations($after: String) {
  locations(first: 250, after: $after, includeInactive: true, includeLegacy: true) {
    pageInfo { hasNextPage endCursor }
    nodes { id name isActive fulfillsOnlineOrders localPickupSettingsV2 { pickupTime } }
  }
}""",
    cost=30,
)

ALL: Final = tuple(value for value in list(globals().values()) if isinstance(value, Document))
