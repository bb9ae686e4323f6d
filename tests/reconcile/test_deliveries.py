"""A delivery speaks of the SKUs it names; one that names none may speak of any."""

from __future__ import annotations

from reconcile.deliveries import may_explain, values

NAMES = {"TEA-1": "TEA-1", "42": "TEA-1", "TEA-2": "TEA-2"}


def test_a_webhook_names_its_items_by_sku_and_by_bare_id() -> None:
    body = b'{"line_items": [{"sku": "TEA-2", "quantity": 1}], "inventory_item_id": 42}'

    assert may_explain([values(body)], NAMES) == (frozenset({"TEA-1", "TEA-2"}), False)


def test_a_long_id_counts_by_its_tail() -> None:
    assert "42" in values(b'["gid://shopify/InventoryItem/42"]')


def test_an_edi_document_names_its_items_between_delimiters() -> None:
    body = b"ST*850*0001~PO1*1*12*EA*9.25**VN*TEA-2~SE*3*0001~"

    assert may_explain([values(body)], NAMES) == (frozenset({"TEA-2"}), False)


def test_a_notification_that_names_no_item_may_speak_of_any() -> None:
    bodies = [b'{"sku": "TEA-2"}', b'{"order_id": "o-17"}']

    assert may_explain([values(body) for body in bodies], NAMES) == (frozenset(), True)


def test_no_delivery_explains_nothing() -> None:
    assert may_explain([], NAMES) == (frozenset(), False)


def test_true_is_no_number() -> None:
    assert values(b'{"paid": true, "n": 1}') == {"1"}
