"""Bulk operations: queued, run, finished on the clock, and fetched as JSONL."""

from __future__ import annotations

import json
from typing import Any

from tests.channels.simulators.shopdesk import Desk, Mailbox, document


def start(desk: Desk) -> str:
    answer = desk.call("bulk")["data"]["bulkOperationRunQuery"]
    assert answer["userErrors"] == []
    assert answer["bulkOperation"]["status"] == "CREATED"
    return str(answer["bulkOperation"]["id"])


def poll(desk: Desk, operation: str) -> dict[str, Any]:
    shown: dict[str, Any] = desk.call("bulkpoll", id=operation)["data"]["bulkOperation"]
    return shown


def lines(desk: Desk, operation: str) -> list[dict[str, Any]]:
    content = desk.simulator.file(int(operation.rsplit("/", 1)[1]))
    assert content is not None
    return [json.loads(line) for line in content.splitlines()]


def test_an_operation_is_created_runs_and_completes(desk: Desk) -> None:
    operation = start(desk)

    first = poll(desk, operation)["status"]
    desk.clock.advance(1)
    second = poll(desk, operation)["status"]
    desk.clock.advance(2)
    last = poll(desk, operation)

    assert (first, second, last["status"]) == ("CREATED", "RUNNING", "COMPLETED")
    assert last["rootObjectCount"] == "3"
    assert last["objectCount"] == "6"
    assert last["fileSize"] == str(
        len(desk.simulator.file(int(operation.rsplit("/", 1)[1])) or b"")
    )
    assert last["url"].endswith(".jsonl")


def test_children_name_their_parent_and_come_after_it(desk: Desk) -> None:
    operation = start(desk)
    desk.clock.advance(3)
    poll(desk, operation)

    rows = lines(desk, operation)

    seen: set[str] = set()
    children = 0
    for row in rows:
        if "__parentId" in row:
            children += 1
            assert row["__parentId"] in seen
        else:
            seen.add(row["id"])
    assert children == 3
    (first,) = [row for row in rows if row.get("__parentId") == desk.item("SKU-1")]
    units = {q["name"]: q["quantity"] for q in first["quantities"]}
    assert units == {"available": 10, "committed": 0, "on_hand": 10}


def test_the_file_shows_the_shop_when_the_operation_ran(desk: Desk) -> None:
    operation = start(desk)
    desk.clock.advance(3)
    poll(desk, operation)

    desk.set(desk.row("SKU-1", 1))

    (row,) = [row for row in lines(desk, operation) if row.get("__parentId") == desk.item("SKU-1")]
    assert {q["name"]: q["quantity"] for q in row["quantities"]}["available"] == 10


def test_an_empty_result_has_no_url(desk: Desk) -> None:
    desk.do("reset")
    operation = start(desk)
    desk.clock.advance(3)

    shown = poll(desk, operation)

    assert (shown["status"], shown["url"], shown["objectCount"]) == ("COMPLETED", None, "0")


def test_the_file_expires_after_seven_days(desk: Desk) -> None:
    operation = start(desk)
    desk.clock.advance(3)
    poll(desk, operation)

    desk.clock.advance(7 * 86_400 + 1)

    assert desk.simulator.file(int(operation.rsplit("/", 1)[1])) is None


def test_five_run_at_once_and_the_sixth_is_told_which(desk: Desk) -> None:
    running = [start(desk) for _ in range(5)]

    refused = desk.call("bulk")["data"]["bulkOperationRunQuery"]
    desk.clock.advance(3)
    later = desk.call("bulk")["data"]["bulkOperationRunQuery"]

    (error,) = refused["userErrors"]
    assert (error["code"], error["field"]) == ("OPERATION_IN_PROGRESS", None)
    text = "A bulk query operation for this app and shop is already in progress:"
    assert error["message"] == f"{text} {', '.join(running)}."
    assert later["userErrors"] == []


def test_a_cancelled_operation_stays_cancelled(desk: Desk) -> None:
    operation = start(desk)
    text = "mutation C($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { message } } }"

    desk.call(text, id=operation)
    desk.clock.advance(10)
    desk.simulator.agenda.settle()

    assert poll(desk, operation)["status"] == "CANCELED"


def test_the_end_is_told_without_anybody_polling(desk: Desk, box: Mailbox) -> None:
    desk.call("webhook", topic="BULK_OPERATIONS_FINISH", sub={"uri": box.url, "format": "JSON"})
    operation = start(desk)

    desk.clock.advance(3)
    box.wait_for(1)

    body = json.loads(box.received[0][1])
    assert body["admin_graphql_api_id"] == operation
    assert (body["status"], body["error_code"]) == ("completed", None)


def test_an_id_of_another_kind_is_not_found_in_the_recorded_words(desk: Desk) -> None:
    answer = desk.call(document("bulkpoll"), id="gid://shopify/Product/1")

    (error,) = answer["errors"]
    assert error["message"] == "Invalid id: gid://shopify/Product/1"
    assert error["extensions"] == {"code": "RESOURCE_NOT_FOUND"}
    assert answer["data"] == {"bulkOperation": None}
