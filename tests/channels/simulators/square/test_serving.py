"""The server: both doors, broken answers on the wire, a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from channels.simulators.square.serving import SquareRunning, start_square
from channels.simulators.square.state import stamp
from tests.channels.simulators.shopdesk import mailbox
from tests.channels.simulators.square.contract import judge_answer
from tests.channels.simulators.square.till import notifications

ROOT = Path(__file__).parents[4]
CREATE = "/v2/inventory/changes/batch-create"


class Client:
    """Both doors of a served account, over one kept connection."""

    def __init__(self, running: SquareRunning) -> None:
        self.facts = running.facts
        self.simulator = running.simulator
        self._session = requests.Session()

    def api(self, method: str, path: str, body: Any = None, **query: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.facts.token}"}
        url = f"{self.facts.base_url}{path}"
        answer = self._session.request(
            method, url, json=body, params=query, headers=headers, timeout=5
        )
        judge_answer(method, path, answer.status_code, answer.json(), self.facts.version)
        return answer

    def control(self, verb: str, **facts: Any) -> requests.Response:
        return self._session.post(
            f"{self.facts.control_url}/{verb}",
            json=facts,
            headers={"Authorization": f"Bearer {self.facts.control_token}"},
            timeout=5,
        )

    def change(self, units: str) -> dict[str, Any]:
        merchant = self.simulator.merchant
        count = {
            "catalog_object_id": merchant.variation("SKU-1").id,
            "location_id": merchant.location("Main").id,
            "state": "IN_STOCK",
            "quantity": units,
            "occurred_at": stamp(merchant.now()),
        }
        return {"type": "PHYSICAL_COUNT", "physical_count": count}

    def close(self) -> None:
        self._session.close()


@pytest.fixture(scope="module")
def running() -> Iterator[SquareRunning]:
    served = start_square(seed=5)
    yield served
    served.stop()


@pytest.fixture
def client(running: SquareRunning) -> Iterator[Client]:
    made = Client(running)
    assert made.control("reset").ok
    made.control("location", name="Main")
    made.control("item", variations=[{"sku": "SKU-1", "stock": {"Main": 10}}])
    yield made
    made.close()


def test_a_day_at_the_till_over_http(client: Client) -> None:
    client.control("sale", location="Main", lines=[{"sku": "SKU-1", "units": 3}])
    place = client.api("GET", "/v2/locations").json()["locations"][0]["id"]

    orders = client.api("POST", "/v2/orders/search", {"location_ids": [place]}).json()["orders"]
    counts = client.api("POST", "/v2/inventory/counts/batch-retrieve", {}).json()["counts"]
    listed = client.api("GET", "/v2/catalog/list", types="ITEM_VARIATION").json()["objects"]

    assert orders[0]["line_items"][0]["catalog_object_id"] == listed[0]["id"]
    assert [row["quantity"] for row in counts] == ["7"]


def test_answers_are_dated_by_the_accounts_clock(client: Client) -> None:
    client.control("advance", seconds=86_400)
    before = client.simulator.merchant.now().replace(microsecond=0)

    dates = client.api("GET", "/v2/locations").headers["date"]

    assert before <= parsedate_to_datetime(dates) <= client.simulator.merchant.now()


def test_the_token_is_wanted_over_http(client: Client) -> None:
    url = f"{client.facts.base_url}/v2/locations"

    answer = requests.get(url, headers={"Authorization": "Bearer wrong"}, timeout=5)

    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize(
    ("verb", "facts", "status", "part"),
    [
        ("sing", {}, 404, "no such operation"),
        ("sale", {}, 400, "missing"),
        ("sale", {"location": "Main", "lines": []}, 409, "at least one line"),
        ("sale", {"location": "Main", "lines": [{"sku": "X", "units": 1}]}, 404, "no SKU"),
        ("sale", {"location": "Mars", "lines": [{"sku": "SKU-1", "units": 1}]}, 404, "no location"),
        ("sale", {"location": "Main", "lines": [{"sku": "SKU-1", "units": 1.5}]}, 400, "decimal"),
        ("count", {"sku": "SKU-1", "location": "Main", "units": "x"}, 400, "not a number"),
        ("show_order", {"order": "X"}, 404, "no order"),
        ("fulfil", {"order": "X", "state": "EATEN"}, 400, "no such state"),
        ("token", {"is": "golden"}, 400, "valid, expired or revoked"),
        ("fault", {"kind": "gremlin"}, 400, "no fault"),
        ("location", {"name": "Main"}, 409, "already"),
        ("state", {"location": "Mars"}, 400, "no such location"),
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
    body = {"idempotency_key": "k", "changes": [client.change("5")]}

    with pytest.raises(requests.ConnectionError):
        client.api("POST", CREATE, body)
    again = client.api("POST", CREATE, body).json()

    assert [row["quantity"] for row in again["counts"]] == ["5"]
    assert len(client.control("state").json()["levels"]) == 1


def test_a_truncated_body_breaks_off(client: Client) -> None:
    client.control("fault", kind="truncate", count=1)

    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        client.api("GET", "/v2/locations")


def test_a_throttled_answer_may_say_when(client: Client) -> None:
    client.control("fault", kind="throttle", count=1, retry_after_s=3)

    answer = client.api("GET", "/v2/locations")

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")


def test_state_shows_levels_with_the_ids_of_the_api(client: Client) -> None:
    (level,) = client.control("state", sku="SKU-1", location="Main").json()["levels"]

    (row,) = client.api("POST", "/v2/inventory/counts/batch-retrieve", {}).json()["counts"]
    assert (level["variation_id"], level["location_id"], level["quantity"]) == (
        row["catalog_object_id"],
        row["location_id"],
        row["quantity"],
    )
    assert client.control("state", sku="other").json()["levels"] == []


def test_fifty_sales_are_taken_and_each_is_told(client: Client) -> None:
    client.control("items", items=[{"variations": [{"sku": f"M-{n}"}]} for n in range(500)])
    with mailbox() as box:
        types = ["order.created", "inventory.count.updated"]
        asked = {"notification_url": box.url, "event_types": types}
        client.api("POST", "/v2/webhooks/subscriptions", {"subscription": asked})
        for number in range(50):
            lines = [{"sku": f"M-{number}", "units": 1}]
            assert client.control("sale", location="Main", lines=lines).ok
        box.wait_for(100)
        notifications(box)


def test_a_notification_url_may_be_known_from_the_start() -> None:
    with mailbox() as box:
        running = start_square(seed=6, notification_url=box.url)
        client = Client(running)
        try:
            client.control("location", name="Main")
            client.control("item", variations=[{"sku": "SKU-1", "stock": {"Main": 1}}])
            box.wait_for(1)
        finally:
            client.close()
            running.stop()

    assert running.facts.notification_url == box.url
    assert notifications(box)[0]["merchant_id"] == running.facts.merchant_id


def test_a_process_of_its_own_says_when_it_is_ready_and_goes_when_told() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "channels.simulators.serve", "--seed", "3", "--kind", "square"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    out = process.stdout
    assert out is not None
    try:
        facts = json.loads(out.readline())["square"]
        keys = {"base_url", "token", "signature_key", "notification_url", "control_url"}
        assert set(facts) == {*keys, "control_token", "merchant_id", "version"}
        answer = requests.get(
            f"{facts['control_url']}/state",
            headers={"Authorization": f"Bearer {facts['control_token']}"},
            timeout=5,
        )
        assert answer.json()["merchant_id"] == facts["merchant_id"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.wait()
        out.close()
