from __future__ import annotations

import json
from pathlib import Path

import pytest

from channels.base import Unreadable
from channels.names import Names
from channels.shopify import webhook
from channels.shopify.wire import VARIANT
from ledger.events import Order

BODIES = Path(__file__).parent / "shopify_bodies"
EXAMPLES = sorted(BODIES.glob("docs_2026-04/*.json"))
CAPTURES = sorted(BODIES.glob("captured_2024-10/*.json"))


class TestSignature:
    secret = "hush-test-secret"
    body = (
        b'{"inventory_item_id":271878346596884015,"location_id":24826418,"available":7,'
        b'"updated_at":"2026-07-01T10:00:00-04:00",'
        b'"admin_graphql_api_id":"gid:\\/\\/shopify\\/InventoryLevel\\/24826418?inventory_item_id=271878346596884015"}'
    )
    signature = "eahrLKxu1kSE+/1kdFy4aZXHsaixAwQWXdou0obdI7s="

    def test_the_known_vector_is_genuine(self) -> None:
        assert webhook.verify(self.body, self.signature, [self.secret])

    def test_the_old_secret_still_counts_during_a_rotation(self) -> None:
        assert webhook.verify(self.body, self.signature, ["new", self.secret])

    @pytest.mark.parametrize(
        ("body", "signature", "secrets"),
        [
            (body + b" ", signature, [secret]),
            (body, signature, ["other"]),
            (body, signature, []),
            (body, "", [secret]),
            (body, "nonsense é", [secret]),
            (body, signature[:-1], [secret]),
        ],
    )
    def test_anything_else_is_not(self, body: bytes, signature: str, secrets: list[str]) -> None:
        assert not webhook.verify(body, signature, secrets)

    def test_an_empty_secret_never_signs(self) -> None:
        import base64
        import hashlib
        import hmac

        forged = base64.b64encode(hmac.new(b"", self.body, hashlib.sha256).digest()).decode()

        assert not webhook.verify(self.body, forged, [""])


class TestRouting:
    def test_headers_are_read_in_any_case_with_and_without_the_x(self) -> None:
        captured = json.loads((BODIES / "captured_2024-10/orders.create.json").read_text())
        plain = {
            name.upper().replace("X-SHOPIFY", "Shopify"): value
            for name, value in captured["headers"].items()
        }

        given, bare = webhook.routing(captured["headers"]), webhook.routing(plain)

        assert given == bare
        assert given.topic == "orders/create"
        assert given.delivery_id == "8a95126f-859a-4db9-b8f1-350e299e9ea0"
        assert given.account == "shop.myshopify.com"
        assert given.signature == "fY7rpk/+wc1Yc/8Y+gdLkGXClS0/jaoPBM3tkTYUBTk="
        assert given.triggered_at is not None
        assert given.triggered_at.isoformat() == "2024-08-07T22:57:57.290670+00:00"

    @pytest.mark.parametrize("text", ["", "yesterday", "2024-08-07T22:57:57"])
    def test_an_unreadable_time_is_no_time(self, text: str) -> None:
        assert webhook.routing({"X-Shopify-Triggered-At": text}).triggered_at is None

    def test_no_headers_at_all_are_an_empty_delivery(self) -> None:
        delivery = webhook.routing({})

        assert (delivery.topic, delivery.delivery_id, delivery.signature) == ("", "", "")


class TestExamples:
    @pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
    def test_every_documented_body_parses(self, path: Path) -> None:
        topic = path.stem.replace(".", "/")

        parsed = webhook.parse(topic, path.read_bytes())

        assert isinstance(parsed, webhook.Nothing) == (topic not in webhook.TOPICS)
        self._books_or_asks(parsed)

    @pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
    def test_every_captured_delivery_parses(self, path: Path) -> None:
        capture = json.loads(path.read_text())

        topic = webhook.routing(capture["headers"]).topic
        parsed = webhook.parse(topic, json.dumps(capture["body"]).encode())

        assert isinstance(parsed, webhook.Nothing) == (topic not in webhook.TOPICS)
        self._books_or_asks(parsed)

    def _books_or_asks(self, parsed: webhook.Parsed) -> None:
        every = {gid: "SKU" for gid in webhook.vendor_ids(parsed) if gid.startswith(VARIANT)}
        names = Names(skus=every, locations={}, default_location="MAIN")

        found = webhook.facts(parsed, source="s", channel="c", names=names)

        assert len({fact.id for fact in found}) == len(found)
        if isinstance(parsed, webhook.Nothing):
            assert parsed.reason
            assert found == []

    def test_the_exact_id_wins_over_the_rounded_number(self) -> None:
        body = (BODIES / "captured_2024-10/orders.create.json").read_text()
        parsed = webhook.parse("orders/create", json.dumps(json.loads(body)["body"]).encode())
        names = Names(skus={f"{VARIANT}808950810": "IPOD"}, locations={}, default_location="MAIN")

        first = webhook.facts(parsed, source="s", channel="c", names=names)[0]

        assert isinstance(first, Order)
        assert (first.order, first.line) == ("820982911946154508", "866550311766439020")


class TestParse:
    @pytest.mark.parametrize(
        ("body", "named"),
        [
            (b"", "orders/create"),
            (b"<html>", "orders/create"),
            (b"[]", "the body"),
            (b'{"id": 1}', "created_at"),
            (b'{"id": 1.5, "created_at": "2026-01-01T00:00:00Z"}', "id"),
            (b'{"id": 1, "created_at": "2026-01-01T00:00:00", "updated_at": "x"}', "created_at"),
        ],
    )
    def test_an_unreadable_body_is_refused_by_name(self, body: bytes, named: str) -> None:
        with pytest.raises(Unreadable, match=named):
            webhook.parse("orders/create", body)

    def test_the_complaint_holds_none_of_the_customers_data(self) -> None:
        body = json.dumps({"id": "someone@example.com"}).encode()

        with pytest.raises(Unreadable) as refusal:
            webhook.parse("orders/create", body)

        assert "someone@example.com" not in str(refusal.value)

    @pytest.mark.parametrize(
        "topic", ["", "orders/exploded", "themes/publish", "INVENTORY_LEVELS/UPDATE"]
    )
    def test_a_topic_without_stock_yields_nothing_and_says_why(self, topic: str) -> None:
        parsed = webhook.parse(topic, b"not even json")

        assert isinstance(parsed, webhook.Nothing)
        assert parsed.reason
        assert webhook.vendor_ids(parsed) == set()
        assert webhook.facts(parsed, source="s", channel="c", names=Names({}, {}, "MAIN")) == []
