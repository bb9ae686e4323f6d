"""Shopify's Admin GraphQL API at 2026-07, its webhooks and its stock rules, as a stateful fake."""

from channels.simulators.shopify.simulator import ShopifySimulator

__all__ = ["ShopifySimulator"]
