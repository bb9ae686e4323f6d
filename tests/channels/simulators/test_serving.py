"""The server: the API's and the control plane's doors, broken answers on the wire, a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from channels.simulators.serve import Running, start
from tests.channels.simulators.shopdesk import document, mailbox

ROOT = Path(__file__).parents[3]


class Client:
    """Both doors of a served shop, over one kept connection."""

    def __init__(self, running: Running) -> None:
        self.facts = running.facts
        self.simulator = running.simulator
        self._session = requests.Session()

    def api(self, name: str, *, version: str = "2026-07", **variables: Any) -> requests.Response:
        return self._session.post(
            f"{self.facts.base_url}/admin/api/{version}/graphql.json",
            json={"query": document(name), "variables": variables},
            headers={"X-Shopify-Access-Token": self.facts.token},
            timeout=5,
        )

    def control(self, verb: str, **facts: Any) -> requests.Response:
        return self._session.post(
            f"{self.facts.control_url}/{verb}",
            json=facts,
            headers={"Authorization": f"Bearer {self.facts.control_token}"},
            timeout=5,
        )

    def close(self) -> None:
        self._session.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    served = start(seed=5)
    yield served
    served.stop()


@pytest.fixture
def client(running: Running) -> Iterator[Client]:
    made = Client(running)
    assert made.control("reset").ok
    made.control("location", name="Main")
    made.control("product", title="One", variants=[{"sku": "SKU-1", "stock": {"Main": 10}}])
    yield made
    made.close()


def test_the_api_wants_its_token(client: Client) -> None:
    answer = requests.post(
        f"{client.facts.base_url}/admin/api/2026-07/graphql.json",
        json={"query": "{ shop { id } }"},
        headers={"X-Shopify-Access-Token": "wrong"},
        timeout=5,
    )

    assert answer.status_code == 401
    text = "[API] Invalid API key or access token (unrecognized login or wrong password)"
    assert answer.json() == {"errors": text}


@pytest.mark.parametrize(
    ("version", "status"), [("2026-04", 200), ("2026-10", 200), ("2019-01", 404)]
)
def test_near_versions_are_served_and_the_header_says_which(
    client: Client, version: str, status: int
) -> None:
    answer = client.api("locations", version=version)

    assert answer.status_code == status
    assert answer.headers["X-Shopify-API-Version"] == "2026-07"


def test_the_control_plane_wants_its_token(client: Client) -> None:
    answer = requests.post(f"{client.facts.control_url}/state", timeout=5)

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("verb", "facts", "status", "part"),
    [
        ("nonsense", {}, 404, "no such operation"),
        ("order", {}, 400, "missing 'lines'"),
        ("order", {"lines": [{"sku": "SKU-1", "units": "many"}]}, 400, "whole number"),
        ("order", {"lines": [{"sku": "NOPE", "units": 1}]}, 404, "no SKU"),
        ("order", {"lines": [{"sku": "SKU-1", "units": 99}]}, 409, "sold out"),
        ("fault", {"kind": "gremlin"}, 400, "no fault"),
        ("location", {"name": "Main"}, 409, "already"),
        ("drift", {"sku": "SKU-1", "location": "Mars", "units": 1}, 404, "no location"),
    ],
)
def test_a_bad_control_request_says_what_is_wrong(
    client: Client, verb: str, facts: dict[str, Any], status: int, part: str
) -> None:
    answer = client.control(verb, **facts)

    assert answer.status_code == status
    assert part in answer.json()["error"]


def test_a_reset_connection_is_a_reset_and_the_write_is_done(client: Client) -> None:
    client.control("fault", kind="reset_after_apply", count=1)
    row = _row(client, 5)

    with pytest.raises(requests.ConnectionError):
        client.api("set", input=row, key="k")
    replay = client.api("set", input=row, key="k").json()

    assert replay["data"]["inventorySetQuantities"]["userErrors"] == []
    assert client.simulator.shop.level("SKU-1", "Main").units["available"] == 5


def test_a_truncated_body_breaks_off(client: Client) -> None:
    client.control("fault", kind="truncate", count=1)

    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        client.api("locations")


def test_a_slow_call_does_not_hold_up_the_others(client: Client) -> None:
    client.control("fault", kind="latency", seconds=3, count=1)
    slow = threading.Thread(target=lambda: Client.api(client, "locations"))
    other = requests.Session()

    slow.start()
    time.sleep(0.05)
    answer = other.post(
        f"{client.facts.base_url}/admin/api/2026-07/graphql.json",
        json={"query": "{ shop { id } }"},
        headers={"X-Shopify-Access-Token": client.facts.token},
        timeout=5,
    )
    was_answered_first = slow.is_alive()
    slow.join()
    other.close()

    assert answer.ok
    assert was_answered_first


def _row(client: Client, units: int) -> dict[str, Any]:
    shop = client.simulator.shop
    row = {
        "inventoryItemId": shop.variant("SKU-1").item.gid,
        "locationId": shop.location("Main").gid,
        "quantity": units,
        "changeFromQuantity": None,
    }
    return {"name": "available", "reason": "correction", "quantities": [row]}


def test_the_log_tells_each_call_with_its_rows_and_outcome(client: Client) -> None:
    client.api("set", input=_row(client, 5), key="k")
    client.api("set", input=_row(client, 6), key="k")

    events = client.control("events", kind="api").json()["events"]

    first, second = events
    assert (first["operation"], first["rows"], first["outcome"]) == (
        "inventorySetQuantities",
        1,
        "ok",
    )
    assert second["outcome"] == "user_errors"
    assert second["codes"] == ["IDEMPOTENCY_KEY_PARAMETER_MISMATCH"]


def test_five_hundred_skus_come_in_one_call(client: Client) -> None:
    products = [{"variants": [{"sku": f"M-{n}", "stock": {"Main": 3}}]} for n in range(500)]

    answer = client.control("products", products=products)

    assert len(answer.json()["products"]) == 500


def test_fifty_orders_are_taken_and_each_is_told(client: Client) -> None:
    products = [{"variants": [{"sku": f"M-{n}", "stock": {"Main": 90}}]} for n in range(10)]
    client.control("products", products=products)
    with mailbox() as box:
        for topic in ("ORDERS_CREATE", "INVENTORY_LEVELS_UPDATE"):
            client.api("webhook", topic=topic, sub={"uri": box.url, "format": "JSON"})
        for number in range(50):
            assert client.control("order", lines=[{"sku": f"M-{number % 10}", "units": 1}]).ok
        box.wait_for(100)


def test_a_bulk_file_is_fetched_from_its_url(client: Client) -> None:
    operation = client.api("bulk").json()["data"]["bulkOperationRunQuery"]["bulkOperation"]["id"]
    client.control("advance", seconds=10)
    url = client.api("bulkpoll", id=operation).json()["data"]["bulkOperation"]["url"]

    content = requests.get(url, timeout=5)

    assert [json.loads(line).get("sku") for line in content.text.splitlines()] == ["SKU-1", None]
    assert requests.get(url.replace(".jsonl", "9.jsonl"), timeout=5).status_code == 404


def test_state_shows_levels_by_sku_and_location(client: Client) -> None:
    client.control("order", lines=[{"sku": "SKU-1", "units": 4}])

    (level,) = client.control("state", sku="SKU-1").json()["levels"]

    assert (level["available"], level["committed"], level["on_hand"]) == (6, 4, 10)
    assert client.control("state", sku="other").json()["levels"] == []


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no simulator 'ebay'"):
        start("ebay")


def test_a_process_of_its_own_says_when_it_is_ready_and_goes_when_told() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "channels.simulators.serve", "--seed", "3", "--kind", "shopify"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    out = process.stdout
    assert out is not None
    try:
        facts = json.loads(out.readline())["shopify"]
        keys = {"base_url", "token", "webhook_secret", "control_url", "control_token", "shop"}
        assert set(facts) == keys
        answer = requests.get(
            f"{facts['control_url']}/state",
            headers={"Authorization": f"Bearer {facts['control_token']}"},
            timeout=5,
        )
        assert answer.json()["levels"] == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.wait()
        out.close()
