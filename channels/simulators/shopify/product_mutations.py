"""Mutations of products: selling policy, status, publication, tracking. They are how a sale is stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from channels.simulators.shopify import bodies
from channels.simulators.shopify.ids import parse_gid
from channels.simulators.shopify.shop import Act, Shop
from channels.simulators.shopify.state import Item, Product, Variant
from channels.simulators.shopify.writes import UserError, check_size


def _product(shop: Shop, gid: str | None) -> Product | None:
    parsed = parse_gid(gid or "")
    return shop.products.get(parsed[1]) if parsed and parsed[0] == "Product" else None


def _tell(shop: Shop, act: Act, product: Product) -> None:
    product.updated_at = act.at
    skus = [variant.sku for variant in product.variants]
    shop.announce(act, "products/update", lambda: bodies.product(product, shop.zone), skus)


def update_variants(
    shop: Shop, act: Act, args: Mapping[str, Any], swallows: Callable[[str], bool]
) -> tuple[Product | None, list[Variant] | None, list[UserError]]:
    """`productVariantsBulkUpdate`: policy, price, SKU, barcode, tracked; all or nothing unless partial is allowed."""
    rows = args["variants"]
    check_size("productVariantsBulkUpdate", ("variants",), rows)
    product = _product(shop, args["productId"])
    if product is None:
        error = UserError("PRODUCT_DOES_NOT_EXIST", ("productId",), "Product does not exist")
        return None, None, [error]
    checked = [_check_variant(product, row, ("variants", str(i))) for i, row in enumerate(rows)]
    errors = [error for _, found in checked for error in found]
    named = [variant for variant, _ in checked if variant is not None]
    if errors and not args.get("allowPartialUpdates"):
        return product, named or None, errors
    changed = False
    for row, (variant, found) in zip(rows, checked, strict=True):
        if variant is not None and not found and not swallows(variant.sku):
            _update_variant(shop, act, variant, row)
            changed = True
    if changed:
        _tell(shop, act, product)
    return product, named, errors


def _check_variant(
    product: Product, row: Mapping[str, Any], path: tuple[str, str]
) -> tuple[Variant | None, list[UserError]]:
    if not row.get("id"):
        text = "Product variant is missing ID attribute"
        return None, [UserError("PRODUCT_VARIANT_ID_MISSING", (*path, "id"), text)]
    parsed = parse_gid(row["id"])
    variant = next((v for v in product.variants if parsed and v.number == parsed[1]), None)
    if variant is None:
        text = "Product variant does not exist"
        return None, [UserError("PRODUCT_VARIANT_DOES_NOT_EXIST", (*path, "id"), text)]
    errors: list[UserError] = []
    if row.get("inventoryQuantities") or row.get("quantityAdjustments"):
        text = (
            "Inventory quantities can only be provided during create. To update inventory for existing variants, use "
            "inventoryAdjustQuantities."
        )
        code = "NO_INVENTORY_QUANTITIES_ON_VARIANTS_UPDATE"
        errors.append(UserError(code, (*path, "inventoryQuantities"), text))
    if (
        row.get("compareAtPrice") is not None
        and Decimal(row["compareAtPrice"]) >= Decimal(10) ** 18
    ):
        where = (*path, "compareAtPrice")
        errors.append(UserError("INVALID_INPUT", where, "must be less than 1000000000000000000"))
    if row.get("price") is not None and Decimal(row["price"]) < 0:
        text = "Price must be greater than or equal to 0"
        errors.append(UserError("GREATER_THAN_OR_EQUAL_TO", (*path, "price"), text))
    return variant, errors


def _update_variant(shop: Shop, act: Act, variant: Variant, row: Mapping[str, Any]) -> None:
    if row.get("inventoryPolicy"):
        variant.policy = row["inventoryPolicy"]
    if row.get("price") is not None:
        variant.price = Decimal(row["price"])
    if "barcode" in row:
        variant.barcode = row["barcode"]
    if row.get("inventoryItem"):
        _change_item(shop, act, variant.item, row["inventoryItem"])
    variant.updated_at = act.at


def _change_item(shop: Shop, act: Act, item: Item, given: Mapping[str, Any]) -> None:
    if given.get("tracked") is not None:
        item.tracked = given["tracked"]
    if given.get("sku") is not None and item.variant is not None:
        shop.by_sku.pop(item.variant.sku, None)
        item.variant.sku = given["sku"]
        shop.by_sku[item.variant.sku] = item.variant
    item.updated_at = act.at


def update_item(
    shop: Shop, act: Act, args: Mapping[str, Any]
) -> tuple[Item | None, list[UserError]]:
    """`inventoryItemUpdate`: tracked and SKU."""
    parsed = parse_gid(args["id"])
    item = shop.items.get(parsed[1]) if parsed else None
    if item is None:
        text = "The product couldn't be updated because it does not exist."
        return None, [UserError(None, ("id",), text)]
    _change_item(shop, act, item, args["input"])
    return item, []


def update_product(
    shop: Shop, act: Act, args: Mapping[str, Any]
) -> tuple[Product | None, list[UserError]]:
    """`productUpdate`: status and title."""
    given = args.get("product") or args.get("input") or {}
    product = _product(shop, given.get("id"))
    if product is None:
        return None, [UserError(None, ("id",), "Product does not exist")]
    product.status = given.get("status") or product.status
    product.title = given.get("title") or product.title
    _tell(shop, act, product)
    return product, []


def publish(
    shop: Shop, act: Act, args: Mapping[str, Any], *, publish: bool
) -> tuple[Product | None, list[UserError]]:
    """`publishablePublish` and `publishableUnpublish` of a product on sales channels."""
    product = _product(shop, args["id"])
    if product is None:
        return None, [UserError(None, ("id",), "Resource does not exist")]
    numbers: list[int] = []
    for index, row in enumerate(args["input"]):
        parsed = parse_gid(row.get("publicationId") or "")
        if parsed is None or parsed[1] not in shop.publications:
            text = "Publication does not exist or is not publishable"
            return product, [UserError(None, ("input", str(index), "publicationId"), text)]
        numbers.append(parsed[1])
    if publish:
        product.published_on.update(numbers)
    else:
        product.published_on.difference_update(numbers)
    _tell(shop, act, product)
    return product, []
