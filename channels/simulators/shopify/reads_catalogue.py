"""How reads of products, variants and publications are answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql import GraphQLResolveInfo

from channels.simulators.shopify import search
from channels.simulators.shopify.ids import parse_gid
from channels.simulators.shopify.reading import (
    IDENTITY,
    LEGACY,
    STAMPS,
    Resolver,
    by_id,
    connect,
    count,
    iso,
    plain,
    rows_of,
)
from channels.simulators.shopify.shop import Shop
from channels.simulators.shopify.state import Product, Variant

VARIANT_SEARCH: Final[Mapping[str, search.Getter]] = {
    "id": lambda variant: variant.number,
    "sku": lambda variant: variant.sku,
    "barcode": lambda variant: variant.barcode,
    "product_id": lambda variant: variant.product.number,
    "inventory_quantity": lambda variant: variant.available,
    "updated_at": lambda variant: variant.updated_at,
    "product_status": lambda variant: variant.product.status,
    "default": lambda variant: variant.sku,
}
PRODUCT_SEARCH: Final[Mapping[str, search.Getter]] = {
    "id": lambda product: product.number,
    "title": lambda product: product.title,
    "handle": lambda product: product.handle,
    "status": lambda product: product.status,
    "vendor": lambda product: product.vendor,
    "sku": lambda product: [variant.sku for variant in product.variants],
    "created_at": lambda product: product.created_at,
    "updated_at": lambda product: product.updated_at,
    "default": lambda product: product.title,
}


def _variants(product: Product, info: GraphQLResolveInfo, **args: Any) -> search.Page:
    return connect(info, list(product.variants), args, {})


def _published(thing: Product | Variant) -> set[int]:
    return thing.product.published_on if isinstance(thing, Variant) else thing.published_on


def _on_publication(thing: Product | Variant, _: GraphQLResolveInfo, **args: Any) -> bool:
    parsed = parse_gid(args["publicationId"])
    return parsed is not None and parsed[1] in _published(thing)


def _publications_of(product: Product, info: GraphQLResolveInfo, **args: Any) -> search.Page:
    shop: Shop = info.context.shop
    rows = [shop.publications[number] for number in product.published_on]
    cut = connect(info, rows, args, {})
    wrapped = [
        {
            "publication": row,
            "isPublished": True,
            "publishDate": iso(product.created_at),
            "publishable": product,
        }
        for row in cut.rows
    ]
    return search.Page(wrapped, cut.cursors, cut.has_next, cut.has_previous)


_PUBLISHABLE: Final = {
    **plain(
        availablePublicationsCount=lambda t: count(len(_published(t))),
        resourcePublicationsCount=lambda t: count(len(_published(t))),
        publicationCount=lambda t: len(_published(t)),
        publishedOnCurrentPublication=lambda t: bool(_published(t)),
    ),
    "publishedOnPublication": _on_publication,
}

FIELDS: Final[dict[str, dict[str, Resolver]]] = {
    "QueryRoot": {
        "product": by_id("Product"),
        "products": rows_of("products", PRODUCT_SEARCH),
        "productVariant": by_id("ProductVariant"),
        "productVariants": rows_of("variants", VARIANT_SEARCH),
        "publication": by_id("Publication"),
        "publications": rows_of("publications", {}),
    },
    "ProductVariant": {
        **STAMPS,
        **IDENTITY,
        **LEGACY,
        **_PUBLISHABLE,
        **plain(
            sku=lambda v: v.sku,
            barcode=lambda v: v.barcode,
            title=lambda v: v.title,
            displayName=lambda v: f"{v.product.title} - {v.title}",
            inventoryPolicy=lambda v: v.policy,
            inventoryQuantity=lambda v: v.available,
            sellableOnlineQuantity=lambda v: v.available,
            availableForSale=lambda v: (
                v.policy == "CONTINUE" or not v.item.tracked or v.available > 0
            ),
            price=lambda v: f"{v.price:.2f}",
            position=lambda v: v.product.variants.index(v) + 1,
            product=lambda v: v.product,
            inventoryItem=lambda v: v.item,
            requiresComponents=lambda v: v.bundle,
            taxable=lambda v: True,
        ),
    },
    "Product": {
        **STAMPS,
        **IDENTITY,
        **LEGACY,
        **_PUBLISHABLE,
        **plain(
            title=lambda p: p.title,
            handle=lambda p: p.handle,
            status=lambda p: p.status,
            vendor=lambda p: p.vendor,
            tags=lambda p: [],
            totalInventory=lambda p: sum(v.available for v in p.variants if v.item.tracked),
            tracksInventory=lambda p: any(v.item.tracked for v in p.variants),
            totalVariants=lambda p: len(p.variants),
            variantsCount=lambda p: count(len(p.variants)),
            hasOutOfStockVariants=lambda p: any(
                v.item.tracked and v.available <= 0 for v in p.variants
            ),
            publishedAt=lambda p: iso(p.created_at) if p.published_on else None,
        ),
        "variants": _variants,
        "resourcePublications": _publications_of,
        "resourcePublicationsV2": _publications_of,
    },
    "Publication": {**IDENTITY, **plain(name=lambda p: p.name, autoPublish=lambda p: False)},
}
