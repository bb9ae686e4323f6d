"""The vendor's recorded pairs: answered as recorded under /sandbox, and in the same way by the account itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from channels.simulators.amazon import sandbox
from channels.simulators.amazon.models import GRANTLESS, Operation, load, operations
from channels.simulators.amazon.sandbox import Pair, pairs
from tests.channels.simulators.amazon.seller import QUEUE, Answer, Seller, conforms

REQUIRED = {
    "marketplaceIds": "ATVPDKIKX0DER",
    "MarketplaceIds": "ATVPDKIKX0DER",
    "MarketplaceId": "ATVPDKIKX0DER",
    "ItemCondition": "New",
    "notificationTypes": "ORDER_CHANGE",
}

NOT_THE_ACCOUNTS = {
    "createFeed 202": "the recorded feed type is not served",
    "createReport 202": "the recorded report type is not served",
    "deleteListingsItem 400": "BadSKU is a word of the sandbox; a real unknown SKU is accepted",
    "getListingsItem 400": "BadSKU is a word of the sandbox; a real unknown SKU is a 404",
    "confirmShipment 400": "the recorded order is no order of the account, which is a 404",
}
"""Pairs that only the sandbox can answer so, with the reason."""


def operation_of(pair: Pair) -> Operation:
    return next(o for o in operations() if (o.api, o.name) == (pair.api, pair.operation))


def named(pair: Pair) -> str:
    return f"{pair.api}.{pair.operation}-{pair.status}"


def request(pair: Pair, wanted: Mapping[str, Any]) -> tuple[str, str, dict[str, str], Any]:
    """Method, escaped path, query and body with these values; what else is required gets a plain value."""
    operation = operation_of(pair)
    values = {"sellerId": "A3LOCKSTEPSIM1", "sku": "FBM-1", "notificationType": "ORDER_CHANGE"}
    values = {**values, **wanted}
    path = "/".join(
        quote(str(values.get(part[1:-1], "X")), safe="") if part.startswith("{") else part
        for part in operation.path
    )
    query = {}
    for parameter in operation.parameters:
        name = parameter["name"]
        given = wanted.get(name, REQUIRED.get(name) if parameter.get("required") else None)
        if parameter["in"] == "query" and given is not None:
            query[name] = ",".join(map(str, given)) if isinstance(given, list) else str(given)
    return operation.method, f"/{path}", query, wanted.get("body")


@pytest.mark.parametrize("pair", pairs(), ids=named)
def test_the_sandbox_answers_as_recorded(pair: Pair) -> None:
    method, path, query, body = request(pair, pair.wanted)
    key = (pair.api, pair.operation, pair.wanted)
    same = [one for one in pairs() if (one.api, one.operation, one.wanted) == key]

    status, answer = sandbox.answer(
        method, path, {name: [text] for name, text in query.items()}, json.dumps(body).encode()
    )

    assert (status, answer) in [(p.status, p.answer) for p in same]


def test_the_sandbox_refuses_what_was_not_recorded() -> None:
    status, answer = sandbox.answer("GET", "/feeds/2021-06-30/feeds/other", {}, b"")

    assert status == 400
    assert json.loads(json.dumps(answer))["errors"][0]["code"] == "InvalidInput"


def test_the_recorded_answers_are_what_the_models_promise() -> None:
    """Were it not so, checking our own answers against the models would prove little."""
    strange = []
    for pair in pairs():
        operation, model = operation_of(pair), load()[pair.api]
        answers = model["paths"]["/" + "/".join(operation.path)][operation.method.lower()]
        promised = answers["responses"][str(pair.status)].get("schema")
        if promised is None or not pair.answer:
            continue
        try:
            conforms(pair.answer, {**promised, "definitions": model["definitions"]})
        except jsonschema.ValidationError as error:
            strange.append((named(pair), error.message))

    assert strange == []


# -- the account itself -------------------------------------------------------------------------------------------


class Prepared:
    """An account in which the things a pair is about exist; their ids take the place of the recorded ones."""

    def __init__(self) -> None:
        self.seller = seller = Seller()
        for one in operations():
            seller.simulator.plans.change(one, 100, 1000)
        for sku in ("GM-ZDPI-9B4E", "VALIDATION_INVALID", "NABetaASINB00V5DG6IQ"):
            seller.do("listing", sku=sku, units=5, asin="B00V5DG6IQ" if "NABeta" in sku else None)
        self.order = seller.do("order", lines=[{"sku": "FBM-1", "units": 1}])["orderId"]
        self.document = seller.upload(b"{}")
        self.feed = seller.send_feed(self.document)
        body = {"reportType": "GET_RESERVED_INVENTORY_DATA", "marketplaceIds": ["ATVPDKIKX0DER"]}
        made = seller.call("POST", "/reports/2021-06-30/reports", None, body)
        self.report = made.body["reportId"]

    def values(self, pair: Pair) -> dict[str, Any]:
        """The recorded values, with ids of this account for those that were found."""
        wanted = dict(pair.wanted)
        if pair.status < 300:
            wanted |= self._found(pair)
        return wanted | self._body(pair, wanted)

    def _found(self, pair: Pair) -> dict[str, str]:
        ids = {
            "feedId": self.feed,
            "feedDocumentId": self.document,
            "reportId": self.report,
            "reportDocumentId": self.document,
            "orderId": self.order,
        }
        found = {name: ids[name] for name in pair.wanted if name in ids}
        if "CreatedAfter" in pair.wanted:
            found["CreatedAfter"] = "2026-06-01T00:00:00Z"
        for name, value in (("NextToken", ""), ("paginationToken", "")):
            if name in pair.wanted:
                found[name] = value
        return found

    def _body(self, pair: Pair, wanted: Mapping[str, Any]) -> dict[str, Any]:
        if pair.status >= 300:
            return {}
        bad = wanted.get("sku") == "VALIDATION_INVALID" and isinstance(pair.answer, dict)
        name = "fake_attribute" if bad and pair.answer["status"] == "INVALID" else "brand"  # type: ignore[index]  # a dict, as just asked
        attributes = {name: [{"value": "x"}], "item_name": [{"value": "x"}]}
        attributes["condition_type"] = [{"value": "new_new"}]
        patch = {"op": "merge", "path": f"/attributes/{name}", "value": [{"value": "x"}]}
        bodies: dict[str, Any] = {
            "confirmShipment": self._shipment(wanted.get("body")),
            "patchListingsItem": {"productType": "PRODUCT", "patches": [patch]},
            "putListingsItem": {"productType": "PRODUCT", "attributes": attributes},
            "createDestination": {"name": "d", "resourceSpecification": QUEUE},
        }
        return {"body": bodies[pair.operation]} if pair.operation in bodies else {}

    def _shipment(self, recorded: Any) -> Any:
        """The recorded body, about the account's own item."""
        if not isinstance(recorded, dict) or "packageDetail" not in recorded:
            return recorded
        item = self.seller.account.order(self.order).lines[0].item_id
        items = [{"orderItemId": item, "quantity": 1}]
        return {**recorded, "packageDetail": {**recorded["packageDetail"], "orderItems": items}}

    def ask(self, pair: Pair) -> Answer:
        method, path, query, body = request(pair, self.values(pair))
        token = self.seller.grantless() if pair.operation in GRANTLESS else None
        return self.seller.call(method, path, query, body, token=token)


OF_THE_ACCOUNT = [
    pair
    for pair in pairs()
    if f"{pair.operation} {pair.status}" not in NOT_THE_ACCOUNTS
    and (pair.api != "notifications" or pair.operation in ("createDestination", "getDestinations"))
]
"""Of notifications only what needs no earlier call; the rest is in test_notifications.py."""


@pytest.mark.parametrize("pair", OF_THE_ACCOUNT, ids=named)
def test_the_account_answers_a_recorded_request_in_the_recorded_way(pair: Pair) -> None:
    prepared = Prepared()

    answer = prepared.ask(pair)

    assert answer.status == pair.status, answer.body
    if isinstance(pair.answer, dict) and pair.answer.get("status"):
        assert answer.body["status"] == pair.answer["status"]
    if pair.answer and pair.status < 300:
        assert isinstance(pair.answer, dict)
        assert set(answer.body) & set(pair.answer)
    prepared.seller.close()
