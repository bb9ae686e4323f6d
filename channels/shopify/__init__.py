"""Shopify through its Admin GraphQL API and its webhooks."""
