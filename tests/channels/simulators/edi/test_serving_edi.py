"""The partner behind its doors: the control plane over HTTP, the mailbox as a folder and over SFTP, a process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from channels.edi import envelope
from channels.edi.exchange import Exchange, exchange_of
from channels.simulators.clock import Clock
from channels.simulators.edi.serving import EdiRunning, start_edi
from tests.channels.simulators.edi.market import START


@pytest.fixture(scope="module")
def running() -> Iterator[EdiRunning]:
    made = start_edi(seed=5, clock=Clock.held(START))
    yield made
    root = made.simulator.root
    made.stop()
    assert not root.exists(), "a mailbox of its own goes with it"


def ask(running: EdiRunning, verb: str, token: str = "", **facts: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token or running.facts.control_token}"}
    return requests.post(
        f"{running.facts.control_url}/{verb}", json=facts, headers=headers, timeout=10
    )


def by(running: EdiRunning, way: str) -> Exchange:
    facts = running.facts
    secrets = {"password": facts.password, "host_key": facts.host_key}
    return exchange_of(facts.base_url if way == "folder" else facts.sftp_url, secrets)


@pytest.mark.parametrize("way", ["folder", "sftp"])
def test_an_order_goes_to_the_merchant_and_its_answer_back(running: EdiRunning, way: str) -> None:
    ask(running, "reset")
    assert ask(running, "item", sku="S-1").status_code == 200
    order = ask(running, "purchase_order", lines=[{"sku": "S-1", "units": 2}]).json()
    exchange = by(running, way)

    assert exchange.inbound() == [order["name"]]
    parsed = envelope.parse(exchange.take(order["name"]))
    exchange.archive(order["name"])
    exchange.send("answer.edi", b"not X12 at all")

    assert parsed.interchanges[0].isa.sender == running.facts.partner_id
    assert exchange.inbound() == []
    assert ask(running, "collect").json() == {"taken": ["answer.edi"]}
    (complaint,) = ask(running, "complaints").json()["complaints"]
    assert complaint["document"] == "answer.edi"
    exchange.close()


def test_the_control_plane_refuses_in_its_own_words(running: EdiRunning) -> None:
    ask(running, "reset")

    assert ask(running, "item", token="wrong", sku="S-1").status_code == 401
    assert ask(running, "purchase_order", lines=[{"sku": "S-9", "units": 1}]).status_code == 404
    assert ask(running, "purchase_order", lines=[]).status_code == 409
    assert ask(running, "functional_ack", policy="maybe").status_code == 400
    assert ask(running, "fault", kind="maybe").status_code == 400
    assert ask(running, "nothing").status_code == 404


def test_it_can_be_served_as_a_process() -> None:
    command = [sys.executable, "-m", "channels.simulators.serve", "--kind", "edi", "--seed", "3"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())["edi"]
        secrets = {"password": facts["password"], "host_key": facts["host_key"]}
        for url in (facts["base_url"], facts["sftp_url"]):
            assert exchange_of(url, secrets).inbound() == []
    finally:
        process.terminate()
        assert process.wait(10) == 0
        process.communicate()
