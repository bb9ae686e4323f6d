"""What is the same for all calls: tokens, keys, limits, broken answers, faults."""

from __future__ import annotations

import json
from typing import Any

import pytest

from channels.simulators.square.errors import Reply
from tests.channels.simulators.square.till import Till

CREATE = "/v2/inventory/changes/batch-create"


def test_the_same_key_with_the_same_body_is_answered_alike_and_applied_once(till: Till) -> None:
    receipt = till.moved("SKU-1", "5", "NONE", "IN_STOCK", to_location_id=till.place())

    first = till.write(receipt, key="once")
    till.clock.advance(7 * 86_400)
    again = till.write(receipt, key="once")

    assert again.body == first.body
    assert till.units("SKU-1") == "15"


def test_the_same_key_with_another_body_is_refused(till: Till) -> None:
    till.write(till.counted("SKU-1", "7"), key="once")

    answer = till.write(till.counted("SKU-1", "8"), key="once")

    assert (answer.status, answer.codes) == (400, ["IDEMPOTENCY_KEY_REUSED"])
    assert till.units("SKU-1") == "7"


def test_a_refused_write_leaves_its_key_free(till: Till) -> None:
    assert till.write(till.counted("SKU-1", "x"), key="once").status == 400

    assert till.write(till.counted("SKU-1", "8"), key="once").status == 200


def test_the_order_of_fields_does_not_make_another_body(till: Till) -> None:
    change = till.counted("SKU-1", "7")
    turned = {name: change[name] for name in reversed(change)}

    assert till.write(change, key="once").body == till.write(turned, key="once").body


def admitted(till: Till, path: str, headers: dict[str, str], raw: bytes = b"") -> Reply:
    answer = till.simulator.engine.admit("POST" if raw else "GET", path, {}, headers, raw)
    assert isinstance(answer, Reply)
    return answer


@pytest.mark.parametrize("given", [{}, {"authorization": "Bearer wrong"}, {"authorization": "x"}])
def test_the_api_wants_its_token(till: Till, given: dict[str, str]) -> None:
    answer = admitted(till, "/v2/locations", given)

    (error,) = json.loads(answer.body)["errors"]
    assert (answer.status, error["category"]) == (401, "AUTHENTICATION_ERROR")
    assert error["code"] == "UNAUTHORIZED"


def test_a_token_expires_when_told(till: Till) -> None:
    till.do("token", **{"is": "expired"})
    expired = till.call("GET", "/v2/locations")
    till.do("token", **{"is": "valid"})

    assert (expired.status, expired.codes) == (401, ["ACCESS_TOKEN_EXPIRED"])
    assert till.call("GET", "/v2/locations").status == 200


@pytest.mark.parametrize("raw", [b"[1]", b"{", b"null"])
def test_a_body_is_a_json_object(till: Till, raw: bytes) -> None:
    headers = {"authorization": f"Bearer {till.simulator.token}"}

    answer = admitted(till, "/v2/orders/search", headers, raw)

    assert json.loads(answer.body)["errors"][0]["code"] == "EXPECTED_JSON_BODY"


def test_unknown_paths_and_methods_say_so(till: Till) -> None:
    unknown = till.simulator.call("POST", "/v2/shelves", {})
    wrong = till.simulator.call("DELETE", "/v2/locations")

    assert (unknown.status, wrong.status) == (404, 405)


def test_a_throttled_call_changes_nothing_and_says_when_only_if_told_to(till: Till) -> None:
    till.do("fault", kind="throttle", seconds=30)
    silent = till.write(till.counted("SKU-1", "7"), key="once")
    till.do("clear_faults")
    till.do("fault", kind="throttle", count=1, retry_after_s=2)
    told = till.write(till.counted("SKU-1", "7"), key="once")
    after = till.write(till.counted("SKU-1", "7"), key="once")

    assert (silent.status, silent.codes) == (429, ["RATE_LIMITED"])
    assert silent.body["errors"][0]["category"] == "RATE_LIMIT_ERROR"
    assert "retry-after" not in silent.headers
    assert told.headers["retry-after"] == "2"
    assert after.status == 200


def test_a_storm_of_429_ends_on_the_clock(till: Till) -> None:
    till.do("fault", kind="throttle", seconds=30)

    storm = [till.call("GET", "/v2/locations").status for _ in range(3)]
    till.clock.advance(30)

    assert storm == [429, 429, 429]
    assert till.call("GET", "/v2/locations").status == 200


def test_a_limit_is_a_rate_with_a_burst(till: Till) -> None:
    till.do("limit", per_second=2, burst=3)

    burst = [till.call("GET", "/v2/locations").status for _ in range(4)]
    till.clock.advance(0.5)
    after = [till.call("GET", "/v2/locations").status for _ in range(2)]

    assert burst == [200, 200, 200, 429]
    assert after == [200, 429]


def test_a_swallowed_write_is_answered_as_if_done(till: Till) -> None:
    till.do("fault", kind="swallow", sku="SKU-1")

    answer = till.write(till.counted("SKU-1", "4"), till.counted("SKU-2", "4"))

    assert [row["quantity"] for row in answer.body["counts"]] == ["4", "4"]
    assert len(answer.body["changes"]) == 2
    assert (till.units("SKU-1"), till.units("SKU-2")) == ("10", "4")


def test_a_server_error_changes_nothing_and_its_key_stays_free(till: Till) -> None:
    for kind, status in (("server_error", 503), ("failed_write", 500)):
        till.do("fault", kind=kind, count=1)
        broken = till.write(till.counted("SKU-1", "4"), key="once")

        assert (broken.status, broken.body["errors"][0]["category"]) == (status, "API_ERROR")
        assert till.units("SKU-1") == "10"

    assert till.write(till.counted("SKU-1", "4"), key="once").status == 200


def test_a_write_whose_answer_is_lost_is_done_and_can_be_asked_for_again(till: Till) -> None:
    change = till.moved("SKU-1", "1", "NONE", "IN_STOCK", to_location_id=till.place())
    body = {"idempotency_key": "once", "changes": [change]}
    wires = []
    for kind in ("reset_after_apply", "truncate"):
        till.do("fault", kind=kind, count=1)
        wires.append(till.simulator.call("POST", CREATE, body).wire)

    answer = till.write(change, key="once")

    assert wires == ["reset", "truncate"]
    assert (answer.status, till.units("SKU-1")) == (200, "11")


def test_an_html_page_comes_with_status_200(till: Till) -> None:
    till.do("fault", kind="html", count=1, operation="ListLocations")

    answer = till.simulator.call("GET", "/v2/locations")

    assert (answer.status, answer.headers["content-type"]) == (200, "text/html")


def test_a_call_that_is_still_waiting_does_not_outlive_a_reset(till: Till) -> None:
    till.do("fault", kind="latency", seconds=3, count=1)
    change = till.counted("SKU-1", "7")
    body = {"idempotency_key": "late", "changes": [change]}

    def begin_again(_: float) -> None:
        till.do("reset")

    reply = till.simulator.call("POST", CREATE, body, wait=begin_again)

    assert reply.status == 503
    assert till.merchant.levels == {}


def test_latency_is_waited_for_before_the_write(till: Till) -> None:
    till.do("fault", kind="latency", seconds=3, count=1)
    waited: list[float] = []

    till.simulator.call("POST", CREATE, {"idempotency_key": "k"}, wait=waited.append)

    assert waited == [3]


def test_somebody_edits_right_after_our_write(till: Till) -> None:
    till.do("fault", kind="external_edit", units=-2, count=1)

    answer = till.write(till.counted("SKU-1", "20"))

    assert answer.body["counts"][0]["quantity"] == "20"
    assert till.units("SKU-1") == "18"
    assert till.history("SKU-1")[-1]["adjustment"]["source"]["product"] == "DASHBOARD"


def test_the_log_tells_each_call_and_each_move(till: Till) -> None:
    seen = till.do("events")["events"][-1]["seq"]
    till.write(till.counted("SKU-1", "7"), key="k")
    till.write(till.counted("SKU-1", "8"), key="k")

    events: list[dict[str, Any]] = till.do("events", since=seen)["events"]

    calls = [e for e in events if e["kind"] == "api"]
    assert [(e["operation"], e["rows"], e["key"]) for e in calls] == [
        ("BatchChangeInventory", 1, "k")
    ] * 2
    assert [(e["outcome"], e["codes"]) for e in calls] == [
        ("ok", []),
        ("errors", ["IDEMPOTENCY_KEY_REUSED"]),
    ]
    (moved,) = [e for e in events if e["kind"] == "stock"]
    assert (moved["sku"], moved["quantity"]) == ("SKU-1", "7")


def test_a_reset_forgets_everything_but_the_tokens(till: Till) -> None:
    till.write(till.counted("SKU-1", "7"), key="k")
    token = till.simulator.token

    till.do("reset")

    assert till.call("GET", "/v2/locations").body["locations"] == []
    assert till.do("state")["levels"] == []
    assert till.simulator.token == token
