"""The measurement of time to sync, in its short form: what it counts, not how long it takes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from console.bench import sync
from console.bench.hooks import Hook, post_all
from console.bench.sync import Phase
from workers.settings import Settings


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("sync")
    home.chmod(0o711)
    phases = (Phase("idle", 2, 2), Phase("40/s", 40, 1))
    return sync.measure(Settings(), Path(home), phases=phases, skus=2, durable=False)


def test_every_webhook_of_every_phase_is_shown_by_the_other_shop(measured: dict[str, Any]) -> None:
    for phase in measured["phases"].values():
        shown = phase["received_to_shown"]["n"]
        assert phase["refused"] == 0
        assert phase["never_shown"] == 0
        assert shown + phase["nothing_to_show"] == phase["posted"]
        assert phase["settled_s"] is not None
    assert measured["phases"]["40/s"]["received_to_shown"]["n"] >= 20


def test_the_hops_of_a_way_add_up_to_it(measured: dict[str, Any]) -> None:
    for phase in measured["phases"].values():
        hops = [phase[hop] for hop in ("received_to_computed", "computed_to_sent", "sent_to_shown")]
        assert {hop["n"] for hop in hops} == {phase["received_to_shown"]["n"]}
        assert phase["received_to_shown"]["max"] <= sum(hop["max"] for hop in hops) + 1


def phase(**more: object) -> dict[str, Any]:
    way = {"n": 10, "p50": 100.0, "p99": 400.0}
    return {"received_to_shown": way, "never_shown": 0, "settled_s": 1.0, **more}


@pytest.mark.parametrize(
    ("phases", "passes"),
    [
        ({"idle": phase()}, True),
        ({"idle": phase(received_to_shown={"n": 10, "p50": 150.0, "p99": 400.0})}, False),
        ({"idle": phase(received_to_shown={"n": 10, "p50": 100.0, "p99": 1000.0})}, False),
        ({"idle": phase(), "spike": phase(never_shown=1)}, False),
        ({"idle": phase(), "spike": phase(settled_s=None)}, False),
        ({"spike": phase()}, False),
        ({"idle": phase(received_to_shown={"n": 0, "p50": 0.0, "p99": 0.0})}, False),
    ],
)
def test_the_goals_are_those_of_an_idle_house_and_that_nothing_is_lost(
    phases: dict[str, Any], *, passes: bool
) -> None:
    assert sync._passed(phases) is passes


def test_a_door_that_hangs_up_is_told_apart_from_one_that_answers() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    async def post() -> list[int]:
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        posts = [a_hook(number) for number in range(2)]
        async with server:
            return [one.status for one in await post_all(port, posts, connections=2)]

    assert asyncio.run(post()) == [0, 0]


def a_hook(order: int) -> Hook:
    return Hook(0.0, order, b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
