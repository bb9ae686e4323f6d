"""The vendor's whole static sandbox is replayed, also where the account itself serves nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from channels.simulators.amazon import sandbox
from channels.simulators.amazon.models import operations
from channels.simulators.amazon.sandbox import Other, others, pairs

PAIRS = Path(__file__).parents[5] / "shared/data/channels/amazon/open/sandbox"

WITHOUT_A_REQUEST = {
    "fulfillmentOutbound_2020-07-01__getFulfillmentOrder__200__ex0",
    "fulfillmentOutbound_2020-07-01__listAllFulfillmentOrders__200__ex0",
    "ordersV0__getOrder__200__ex2",
}
"""Examples of an answer, not of a call: the account answers these operations itself, with what it holds."""


def request(other: Other) -> tuple[str, dict[str, list[str]], bytes]:
    """Escaped path, query and body that ask for a recorded answer."""
    wanted = dict(other.pair.wanted)
    path = "/".join(
        quote(str(wanted.pop(part[1:-1], "X")), safe="") if part.startswith("{") else part
        for part in other.path
    )
    body = wanted.pop("body", None)
    query = {
        name: [",".join(map(str, value)) if isinstance(value, list) else str(value)]
        for name, value in wanted.items()
    }
    return f"/{path}", query, b"" if body is None else json.dumps(body).encode()


def named(other: Other) -> str:
    return f"{other.pair.api}.{other.pair.operation}-{other.pair.status}"


def _same_call(one: Other, another: Other) -> bool:
    return (one.method, one.path, one.pair.wanted) == (
        another.method,
        another.path,
        another.pair.wanted,
    )


@pytest.mark.parametrize("other", others(), ids=named)
def test_what_only_the_sandbox_has_is_answered_as_recorded(other: Other) -> None:
    path, query, body = request(other)
    recorded = [(o.pair.status, o.pair.answer) for o in others() if _same_call(o, other)]

    assert sandbox.answer(other.method, path, query, body) in recorded


def test_what_only_the_sandbox_has_is_refused_for_other_values() -> None:
    status, _ = sandbox.answer("GET", "/awd/2024-05-09/inboundOrders/unheard-of", {}, b"")

    assert status == 400


def test_every_recorded_pair_beside_the_repository_is_replayed() -> None:
    if not PAIRS.is_dir():
        pytest.skip("the vendor's sandbox pairs are not beside the repository")
    served = {(one.api, one.name) for one in operations()}
    known = {_key(p.api, p.operation, p.status, p.answer) for p in pairs()}
    known |= {_key(o.pair.api, o.pair.operation, o.pair.status, o.pair.answer) for o in others()}
    lost = set()
    for file in PAIRS.glob("*.json"):
        api, operation, status, _ = file.stem.split("__")
        recorded: Mapping[str, Any] = json.loads(file.read_text())
        if _key(api, operation, int(status), recorded.get("response")) not in known:
            lost.add(file.stem)

    assert len(list(PAIRS.glob("*.json"))) == 170
    assert lost == WITHOUT_A_REQUEST
    assert all(tuple(name.split("__")[:2]) in served for name in lost)


def _key(api: str, operation: str, status: int, answer: object) -> tuple[str, str, int, str]:
    return api, operation, status, json.dumps(answer, sort_keys=True)
