"""A simulated seller with a held clock; every answer it gets is checked against the vendor's models."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema

from channels.simulators.amazon import AmazonSimulator
from channels.simulators.amazon.control import Control
from channels.simulators.amazon.engine import Reply
from channels.simulators.amazon.models import find, load
from channels.simulators.amazon.tokens import NOTIFICATIONS
from channels.simulators.clock import Clock

HERE = Path(__file__).parent
START = datetime(2026, 7, 1, 14, 0, tzinfo=UTC)
QUEUE = {"sqs": {"arn": "arn:aws:sqs:us-east-1:444455556666:stock"}}
BUS = {"eventBridge": {"region": "us-east-1", "accountId": "444455556666"}}


def schema(name: str) -> dict[str, Any]:
    """One of the vendor's notification or feed schemas."""
    found: dict[str, Any] = json.loads((HERE / "schemas" / f"{name}.json").read_text())
    return found


def conforms(body: object, wanted: Mapping[str, Any]) -> None:
    """Fail unless `body` is what the JSON schema says."""
    jsonschema.Draft7Validator(wanted).validate(body)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def errors(self) -> list[str]:
        return [error["code"] for error in self.body["errors"]]


class Seller:
    """FBM-1..3 with ten units of the seller's own, FBA-1..3 with twenty in Amazon's network."""

    def __init__(self, *, stocked: bool = True, clock: Clock | None = None, **options: Any) -> None:
        self.clock = clock or Clock.held(START)
        self.simulator = AmazonSimulator(self.clock, **options)
        self.account = self.simulator.account
        self.control = Control(self.simulator)
        self._documents = itertools.count()
        if stocked:
            for number in (1, 2, 3):
                self.do("listing", sku=f"FBM-{number}", units=10, handling_days=2)
                self.do("listing", sku=f"FBA-{number}", fba={"fulfillable": 20})

    # -- the two doors --------------------------------------------------------------------------------------------

    def do(self, verb: str, **facts: Any) -> Any:
        """An operation of the control plane, in-process."""
        return self.control.verbs()[verb](facts)

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | Sequence[str]] | None = None,
        body: object = None,
        *,
        token: str | None = None,
        wait: Callable[[float], None] = lambda seconds: None,
    ) -> Answer:
        """A call of the API. Fails when the answer is not what the model promises for its status."""
        reply = self.simulator.call(method, path, query, body, token=token, wait=wait)
        return checked(method, path, reply)

    def grantless(self) -> str:
        return self.simulator.token(NOTIFICATIONS)

    def later(self, seconds: float) -> None:
        """Let time pass, and what falls due in it happen."""
        self.clock.advance(seconds)
        self.account.catch_up()

    # -- listings -------------------------------------------------------------------------------------------------

    def patch(
        self,
        sku: str,
        units: object = None,
        *,
        op: str = "merge",
        code: str = "DEFAULT",
        query: Mapping[str, Any] | None = None,
        patches: list[dict[str, Any]] | None = None,
    ) -> Answer:
        """Patch the units on offer, or send the given patches."""
        one = {
            "op": op,
            "path": "/attributes/fulfillment_availability",
            "value": [{"fulfillment_channel_code": code, "quantity": units}],
        }
        body = {"productType": "PRODUCT", "patches": patches or [one]}
        return self.call("PATCH", self.simulator.item_path(sku), self.here(**(query or {})), body)

    def item(self, sku: str, *included: str) -> Answer:
        names = ",".join(included or ("summaries", "fulfillmentAvailability", "issues"))
        return self.call("GET", self.simulator.item_path(sku), self.here(includedData=names))

    def units(self, sku: str) -> dict[str, int | None]:
        """Units by channel code, as the API reads them."""
        answer = self.item(sku, "fulfillmentAvailability")
        shown = answer.body["fulfillmentAvailability"]
        return {one["fulfillmentChannelCode"]: one.get("quantity") for one in shown}

    def offer(self, sku: str, code: str = "DEFAULT") -> dict[str, Any]:
        """The whole entry of fulfillment_availability."""
        entries = self.item(sku, "attributes").body["attributes"]["fulfillment_availability"]
        found: dict[str, Any] = next(e for e in entries if e["fulfillment_channel_code"] == code)
        return found

    def here(self, **more: Any) -> dict[str, Any]:
        return {"marketplaceIds": self.account.marketplace_id, **more}

    # -- the rest -------------------------------------------------------------------------------------------------

    def summaries(self, **more: Any) -> Answer:
        market = self.account.marketplace_id
        query = {
            "granularityType": "Marketplace",
            "granularityId": market,
            "marketplaceIds": market,
            "details": "true",
        }
        return self.call("GET", "/fba/inventory/v1/summaries", {**query, **more})

    def fba(self, **more: Any) -> dict[str, int]:
        """Fulfillable units by SKU, as the summaries read them."""
        rows = self.summaries(**more).body["payload"]["inventorySummaries"]
        return {row["sellerSku"]: row["inventoryDetails"]["fulfillableQuantity"] for row in rows}

    def search(self, **query: Any) -> Answer:
        return self.call("GET", "/orders/2026-01-01/orders", query)

    def upload(self, content: bytes, content_type: str = "application/json; charset=UTF-8") -> str:
        """A feed document with this content; its id."""
        body = {"contentType": content_type}
        made = self.call("POST", "/feeds/2021-06-30/documents", None, body).body
        opened = self.open_url(made["url"], "PUT")
        assert not isinstance(opened, str), opened
        opened.content = content
        return str(made["feedDocumentId"])

    def feed(self, *messages: dict[str, Any], **header: Any) -> str:
        """A listings feed of these messages, sent off; its id."""
        head = {"sellerId": self.account.seller_id, "version": "2.0", "issueLocale": "en_US"}
        content = json.dumps({"header": {**head, **header}, "messages": list(messages)}).encode()
        return self.send_feed(self.upload(content))

    def send_feed(self, document_id: str) -> str:
        body = {
            "feedType": "JSON_LISTINGS_FEED",
            "marketplaceIds": [self.account.marketplace_id],
            "inputFeedDocumentId": document_id,
        }
        return str(self.call("POST", "/feeds/2021-06-30/feeds", None, body).body["feedId"])

    def feed_state(self, feed_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"/feeds/2021-06-30/feeds/{feed_id}").body
        return found

    def report_of(self, feed_id: str) -> dict[str, Any]:
        """The processing report of a feed that is done, checked against its schema."""
        document_id = self.feed_state(feed_id)["resultFeedDocumentId"]
        shown = self.call("GET", f"/feeds/2021-06-30/documents/{document_id}").body
        assert shown["compressionAlgorithm"] == "GZIP"
        report: dict[str, Any] = json.loads(self.fetch(shown["url"]))
        conforms(report, schema("listings-feed-processing-report-schema-v2"))
        return report

    def fetch(self, url: str) -> bytes:
        """What a presigned url of a gzipped document holds."""
        opened = self.open_url(url, "GET")
        assert not isinstance(opened, str), opened
        return gzip.decompress(opened.content or b"")

    def open_url(self, url: str, method: str) -> Any:
        """The document behind a presigned url, or the code of its refusal."""
        parts = urlsplit(url)
        name = parts.path.rsplit("/", 1)[1]
        query = dict(parse_qsl(parts.query))
        return self.simulator.service.files.open(name, method, query, self.clock.now())

    def report(self, kind: str, **options: Any) -> list[dict[str, str]]:
        """A report, waited for, as rows by column name."""
        body = {
            "reportType": kind,
            "marketplaceIds": [self.account.marketplace_id],
            **options,
        }
        made = self.call("POST", "/reports/2021-06-30/reports", None, body).body
        self.later(60)
        done = self.call("GET", f"/reports/2021-06-30/reports/{made['reportId']}").body
        assert done["processingStatus"] == "DONE"
        path = f"/reports/2021-06-30/documents/{done['reportDocumentId']}"
        text = self.fetch(self.call("GET", path).body["url"]).decode()
        head, *rows = [line.split("\t") for line in text.split("\r\n") if line]
        return [dict(zip(head, row, strict=True)) for row in rows]

    def subscribe(self, kind: str, resource: Mapping[str, Any] | None = None) -> str:
        """A subscription with a destination for it; its id."""
        bus = kind.startswith("LISTINGS_ITEM")
        wanted = resource or (BUS if bus else QUEUE)
        destination = self._destination(wanted)
        version = "2020-09-04" if kind.endswith("PROCESSING_FINISHED") else "1.0"
        body = {"payloadVersion": version, "destinationId": destination}
        made = self.call("POST", f"/notifications/v1/subscriptions/{kind}", None, body)
        return str(made.body["payload"]["subscriptionId"])

    def _destination(self, resource: Mapping[str, Any]) -> str:
        token = self.grantless()
        name = next(iter(resource))
        kept = self.call("GET", "/notifications/v1/destinations", token=token).body["payload"]
        for one in kept:
            if name in one["resource"]:
                return str(one["destinationId"])
        body = {"name": name, "resourceSpecification": resource}
        made = self.call("POST", "/notifications/v1/destinations", None, body, token=token)
        return str(made.body["payload"]["destinationId"])

    def close(self) -> None:
        self.simulator.stop()
        assert self.simulator.agenda.failures == []


def checked(method: str, path: str, reply: Reply) -> Answer:
    """The decoded answer, after its body has been held against the model's definition for its status."""
    is_json = reply.headers.get("content-type") == "application/json"
    body = json.loads(reply.body) if reply.body and is_json else reply.body
    found = find(method, path)
    if found is not None and is_json:
        operation = found[0]
        model = load()[operation.api]
        responses = model["paths"]["/" + "/".join(operation.path)][method.lower()]["responses"]
        promised = responses[str(reply.status)].get("schema")
        if promised is not None:
            conforms(body, {**promised, "definitions": model["definitions"]})
        elif reply.status >= 400:
            assert set(body) == {"errors"}
        else:
            assert body in ({}, b"")
    return Answer(reply.status, reply.headers, body)
