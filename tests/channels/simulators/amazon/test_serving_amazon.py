"""The served account: Login with Amazon, raw paths, presigned files, broken answers, the control plane, a process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from channels.simulators.amazon.serving import AmazonRunning, start_amazon
from channels.simulators.clock import Clock
from tests.channels.simulators.amazon.seller import START

ROOT = Path(__file__).parents[4]
HERE = {"marketplaceIds": "ATVPDKIKX0DER"}


class Client:
    """Every door of a served account, over one kept connection."""

    def __init__(self, running: AmazonRunning) -> None:
        self.facts = running.facts
        self.simulator = running.simulator
        self.session = requests.Session()

    def login(self, **changes: str) -> requests.Response:
        facts = self.facts
        form = {
            "grant_type": "refresh_token",
            "refresh_token": facts.refresh_token,
            "client_id": facts.client_id,
            "client_secret": facts.client_secret,
        }
        return self.session.post(facts.lwa_url, data={**form, **changes}, timeout=5)

    def api(self, method: str, path: str, **options: Any) -> requests.Response:
        token = self.login().json()["access_token"]
        return self.session.request(
            method,
            f"{self.facts.base_url}{path}",
            headers={"x-amz-access-token": token},
            timeout=5,
            **options,
        )

    def item(self, sku: str) -> str:
        return f"/listings/2021-08-01/items/{self.facts.seller_id}/{quote(sku, safe='')}"

    def patch(self, sku: str, units: int) -> requests.Response:
        value = [{"fulfillment_channel_code": "DEFAULT", "quantity": units}]
        patch = {"op": "merge", "path": "/attributes/fulfillment_availability", "value": value}
        body = {"productType": "PRODUCT", "patches": [patch]}
        return self.api("PATCH", self.item(sku), params=HERE, json=body)

    def control(self, verb: str, **facts: Any) -> requests.Response:
        return self.session.post(
            f"{self.facts.control_url}/{verb}",
            json=facts,
            headers={"Authorization": f"Bearer {self.facts.control_token}"},
            timeout=5,
        )

    def units(self, sku: str) -> int:
        (listing,) = self.control("state", sku=sku).json()["listings"]
        found: int = listing["units"]
        return found


@pytest.fixture(scope="module")
def running() -> Iterator[AmazonRunning]:
    served = start_amazon(seed=5, clock=Clock.held(START))
    yield served
    served.stop()


@pytest.fixture
def client(running: AmazonRunning) -> Iterator[Client]:
    made = Client(running)
    made.control("reset")
    made.control("listing", sku="SKU-1", units=10)
    yield made
    made.session.close()


def test_logging_in_answers_in_json_and_refuses_in_json(client: Client) -> None:
    good, bad = client.login(), client.login(client_secret="wrong")

    assert (good.status_code, good.json()["expires_in"]) == (200, 3600)
    assert bad.status_code == 401
    assert bad.json() == {
        "error_description": "Client authentication failed",
        "error": "invalid_client",
    }


@pytest.mark.parametrize("sku", ["A/B", "A B", "A%2FB", "A+B", "A#B", "A?B", "Größe-1", "50%"])
def test_any_sku_can_be_read_when_it_is_escaped(client: Client, sku: str) -> None:
    client.control("listing", sku=sku, units=3)

    answer = client.api("GET", client.item(sku), params=HERE)

    assert (answer.status_code, answer.json()["sku"]) == (200, sku)


def test_a_bare_slash_in_a_sku_is_denied(client: Client) -> None:
    client.control("listing", sku="A/B", units=3)

    answer = client.api("GET", f"/listings/2021-08-01/items/{client.facts.seller_id}/A/B")

    assert answer.status_code == 403


def test_lists_in_a_query_may_be_repeated_or_joined(client: Client) -> None:
    path = "/orders/2026-01-01/orders"
    params = {"lastUpdatedAfter": "2026-07-01T00:00:00Z", "fulfilledBy": ["MERCHANT", "AMAZON"]}

    assert client.api("GET", path, params=params).status_code == 200
    assert client.api("GET", path, params={**params, "fulfilledBy": "MERCHANT,AMAZON"}).ok


def test_headers_tell_the_rate_until_the_quota_is_gone(client: Client) -> None:
    answers = [client.patch("SKU-1", 5) for _ in range(6)]

    assert answers[0].headers["x-amzn-RateLimit-Limit"] == "5.0"
    assert answers[5].status_code == 429
    assert "x-amzn-RateLimit-Limit" not in answers[5].headers
    assert answers[5].headers["x-amzn-RequestId"]


def test_a_feed_goes_up_and_its_report_comes_down_over_http(client: Client) -> None:
    kind = "application/json; charset=UTF-8"
    made = client.api("POST", "/feeds/2021-06-30/documents", json={"contentType": kind}).json()
    value = [{"fulfillment_channel_code": "DEFAULT", "quantity": 4}]
    patch = {"op": "merge", "path": "/attributes/fulfillment_availability", "value": value}
    message = {
        "messageId": 1,
        "sku": "SKU-1",
        "operationType": "PATCH",
        "productType": "PRODUCT",
        "patches": [patch],
    }
    header = {"sellerId": client.facts.seller_id, "version": "2.0"}
    feed = json.dumps({"header": header, "messages": [message]})

    wrong = requests.put(made["url"], data=feed, headers={"Content-Type": "text/plain"}, timeout=5)
    right = requests.put(made["url"], data=feed, headers={"Content-Type": kind}, timeout=5)
    body = {
        "feedType": "JSON_LISTINGS_FEED",
        "marketplaceIds": ["ATVPDKIKX0DER"],
        "inputFeedDocumentId": made["feedDocumentId"],
    }
    sent = client.api("POST", "/feeds/2021-06-30/feeds", json=body)
    client.control("advance", seconds=65)
    done = client.api("GET", f"/feeds/2021-06-30/feeds/{sent.json()['feedId']}").json()
    path = f"/feeds/2021-06-30/documents/{done['resultFeedDocumentId']}"
    result = requests.get(client.api("GET", path).json()["url"], timeout=5)

    assert (wrong.status_code, right.status_code, sent.status_code) == (403, 200, 202)
    assert b"SignatureDoesNotMatch" in wrong.content
    assert result.content[:2] == b"\x1f\x8b", "gzip, and not undone by the way"
    assert client.units("SKU-1") == 4


def test_a_stale_or_made_up_file_url_is_denied(client: Client) -> None:
    made = client.api("POST", "/feeds/2021-06-30/documents", json={"contentType": "a/b"}).json()
    headers = {"Content-Type": "a/b"}

    missing = requests.get(made["url"].replace("Signature=", "Signature=0"), timeout=5)
    client.control("advance", seconds=300)
    late = requests.put(made["url"], data=b"x", headers=headers, timeout=5)

    assert (missing.status_code, late.status_code) == (403, 403)
    assert b"AccessDenied" in late.content


def test_the_sandbox_is_served_without_a_token(client: Client) -> None:
    base = client.facts.sandbox_url

    good = requests.get(f"{base}/reports/2021-06-30/reports/ID323", timeout=5)
    bad = requests.get(f"{base}/reports/2021-06-30/reports/other", timeout=5)
    broken = requests.post(f"{base}/feeds/2021-06-30/feeds", data=b"{", timeout=5)

    assert (good.status_code, good.json()["reportId"]) == (200, "ReportId1")
    assert (bad.status_code, broken.status_code) == (400, 400)


# -- answers that break -------------------------------------------------------------------------------------------


def test_a_reset_after_the_write_leaves_it_to_be_applied(client: Client) -> None:
    client.control("fault", kind="reset_after_apply", count=1)

    with pytest.raises(requests.ConnectionError):
        client.patch("SKU-1", 4)

    client.control("advance", seconds=5)
    assert client.units("SKU-1") == 4


def test_a_truncated_answer_is_noticed_and_the_write_stands(client: Client) -> None:
    client.control("fault", kind="truncate", count=1, operation="patchListingsItem")

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        client.patch("SKU-1", 4)

    client.control("advance", seconds=5)
    assert client.units("SKU-1") == 4


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        ({"kind": "server_error", "status": 503}, 503, "ServiceUnavailable"),
        ({"kind": "server_error", "status": 500}, 500, "InternalFailure"),
        ({"kind": "failed_write"}, 500, "InternalFailure"),
        ({"kind": "html"}, 200, "<html>"),
        ({"kind": "throttle"}, 429, "QuotaExceeded"),
    ],
)
def test_a_failure_before_the_write_changes_nothing(
    client: Client, fault: dict[str, Any], status: int, text: str
) -> None:
    client.control("fault", **fault, count=1, sku="SKU-1")

    answer = client.patch("SKU-1", 4)

    assert answer.status_code == status
    assert text in answer.text
    client.control("advance", seconds=60)
    assert client.units("SKU-1") == 10


def test_a_slow_answer_is_slow_in_real_time(client: Client) -> None:
    client.control("fault", kind="latency", seconds=0.3, count=1)

    assert client.patch("SKU-1", 4).elapsed.total_seconds() >= 0.3
    assert client.patch("SKU-1", 4).elapsed.total_seconds() < 0.3


def test_a_fault_keeps_to_its_operation_and_its_sku(client: Client) -> None:
    client.control("listing", sku="SKU-2", units=10)
    client.control("fault", kind="server_error", operation="patchListingsItem", sku="SKU-1")

    assert client.patch("SKU-1", 4).status_code == 503
    assert client.patch("SKU-2", 4).status_code == 200
    assert client.api("GET", client.item("SKU-1"), params=HERE).status_code == 200


# -- the control plane --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "facts", "status"),
    [
        ("nothing", {}, 404),
        ("order", {"lines": [{"sku": "NOPE", "units": 1}]}, 404),
        ("show_order", {"order": "111-0000000-0000000"}, 404),
        ("limit", {"operation": "nothing", "rate": 1, "burst": 1}, 404),
        ("order", {"lines": [{"sku": "SKU-1", "units": 11}]}, 409),
        ("listing", {"sku": "SKU-1", "units": 1}, 409),
        ("drift", {"sku": "SKU-1", "units": -11}, 409),
        ("inbound", {"sku": "SKU-1", "units": 1, "step": "received"}, 409),
        ("inbound", {"sku": "SKU-1", "units": 1, "step": "sideways"}, 409),
        ("adjust", {"sku": "SKU-1", "units": 1, "kind": "eaten"}, 409),
        ("order", {"lines": [{"sku": "SKU-1", "units": "two"}]}, 400),
        ("order", {}, 400),
        ("listing", {"sku": "NEW", "fba": {"shelves": 1}}, 400),
        ("drift", {"sku": "SKU-1", "part": "shelves", "units": 1}, 400),
        ("pace", {"hurry_s": 1}, 400),
        ("fault", {"kind": "earthquake"}, 400),
    ],
)
def test_the_control_plane_says_what_it_cannot_do(
    client: Client, verb: str, facts: dict[str, Any], status: int
) -> None:
    answer = client.control(verb, **facts)

    assert answer.status_code == status
    assert answer.json()["error"]
    assert client.units("SKU-1") == 10


def test_the_control_plane_wants_its_token(client: Client) -> None:
    url = f"{client.facts.control_url}/state"

    assert requests.get(url, timeout=5).status_code == 401
    headers = {"Authorization": f"Bearer {client.facts.control_token}"}
    assert requests.get(url, headers=headers, timeout=5).status_code == 200


def test_many_calls_at_once_take_every_unit_once(client: Client) -> None:
    taken: list[int] = []

    def buy() -> None:
        for _ in range(5):
            answer = client_of_its_own.control("order", lines=[{"sku": "SKU-1", "units": 1}])
            taken.append(answer.status_code)

    client_of_its_own = client
    threads = [threading.Thread(target=buy) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(taken) == [200] * 10 + [409] * 10
    assert client.units("SKU-1") == 0


def test_a_process_of_its_own_says_when_it_is_ready_and_goes_when_told() -> None:
    command = [sys.executable, "-m", "channels.simulators.serve", "--kind", "amazon", "--seed", "3"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())["amazon"]
        url = f"{facts['control_url']}/state"
        headers = {"Authorization": f"Bearer {facts['control_token']}"}
        state = requests.get(url, headers=headers, timeout=5).json()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    finally:
        process.kill()

    assert state["listings"] == []
    assert facts["lwa_url"].endswith("/auth/o2/token")
    assert process.returncode == 0
