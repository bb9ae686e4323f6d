"""What does not belong into a queue, put there past every client of ours: rubbish, and messages of other versions."""

from __future__ import annotations

import base64
import json
import pickle
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import redis

from console.faults.house import House, fact
from console.faults.judge import SETTLES_S
from console.faults.types import Fault, Scene
from ledger import inbox
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, Delivery

#: Every worker here takes from every queue, so one queue reaches all of them.
_QUEUE: Final = "control"
_TIMES: Final = 3
_LARGE_BYTES: Final = 1_000_000
#: Rubbish is taken and gone within this, while everything else goes on.
_GONE_S: Final = 20.0
_STATE: Final = (
    "SELECT state, coalesce(error, '') FROM inbox WHERE source = 'wms' AND delivery_id = :id"
)
_SKEW: Final = "SELECT count(*) FROM heartbeat WHERE queue = 'skew'"


class _Harm:
    """Unpickled, it leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self._mark), "w")


def message(
    task: str,
    queue: str,
    args: object = (),
    kwargs: object = None,
    *,
    body: bytes | None = None,
    content: str = "application/json",
) -> bytes:
    """A task as Celery's client writes it into Redis; everything about it may be wrong."""
    number = str(uuid4())
    said = json.dumps([list(args) if isinstance(args, tuple) else args, kwargs or {}, {}]).encode()
    envelope = {
        "body": base64.b64encode(said if body is None else body).decode(),
        "content-encoding": "utf-8" if content == "application/json" else "binary",
        "content-type": content,
        "headers": {"lang": "py", "task": task, "id": number, "root_id": number, "retries": 0},
        "properties": {
            "correlation_id": number,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "lockstep", "routing_key": queue},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
        },
    }
    return json.dumps(envelope).encode()


def _rubbish(queue: str, mark: Path) -> Iterator[tuple[str, bytes]]:
    """What each is, and its bytes."""
    harm, drain = pickle.dumps(_Harm(mark)), "workers.tasks.drain"
    yield "a pickle", message(drain, queue, body=harm, content="application/x-python-serialize")
    yield "a pickle called JSON", message(drain, queue, body=harm)
    yield "a body that is no JSON", message(drain, queue, body=b"{")
    yield "a body that is no list", message(drain, queue, body=b"42")
    yield "a task nobody knows", message("os.system", queue, ("touch", str(mark)))
    yield "too many arguments", message(drain, queue, (1, 2, 3))
    yield "too few arguments", message("workers.tasks.push", queue)
    yield "no such channel", message("workers.tasks.push", queue, kwargs={"channel": "../../etc"})
    yield "a large argument", message(drain, queue, kwargs={"x": "A" * _LARGE_BYTES})
    yield "a large name", message("x" * _LARGE_BYTES, queue)
    yield "no envelope", b"[1, 2, 3]"
    yield "half an envelope", b'{"body": "e30=", "headers": {}}'
    yield "a bare word", b'"drain"'
    yield "no JSON", b"drain, please"
    yield "no text", b"\x80\x04\xff\xfe\x00rubbish"
    yield "nothing", b""
    yield "deep JSON", b"[" * 5000 + b"]" * 5000


def _put(house: House, queue: str, raw: bytes) -> None:
    settings = house.stack.settings
    with redis.Redis.from_url(settings.redis_url) as client:
        client.lpush(f"lockstep:{settings.env}:{queue}", raw)


def _left(house: House) -> bool:
    """Whether what was put into the queue is still there."""
    settings = house.stack.settings
    with redis.Redis.from_url(settings.redis_url) as client:
        return int(client.llen(f"lockstep:{settings.env}:{_QUEUE}")) > 0


def _restarts(house: House) -> dict[str, int]:
    return {s.name: s.restarts for s in house.stack.supervisor.status() if s.name in house.workers}


def _thrown_in(scene: Scene) -> list[str]:
    house, said = scene.house, []
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder) / "executed"
        for what, raw in _rubbish(_QUEUE, mark):
            before = _restarts(house)
            for _ in range(_TIMES):
                _put(house, _QUEUE, raw)
            until_s = time.monotonic() + _GONE_S
            while _left(house) and time.monotonic() < until_s:
                time.sleep(0.1)
            time.sleep(0.5)
            for name in house.workers:
                house.stack.supervisor.wait_ready(name, limit_s=120)
            died = [name for name, count in _restarts(house).items() if count > before[name]]
            if died:
                said.append(f"{what}: {', '.join(died)} ended")
        if mark.exists():
            said.append("something was executed")
    return said


def _is_told(house: House, delivery: str) -> bool:
    """Whether the task was done and the fact is set aside."""
    state, _ = house.rows(_STATE, id=delivery)[0]
    return bool(house.one(_SKEW)) and state != "pending"


def _other_versions(scene: Scene) -> list[str]:
    """A newer sender's arguments, an older one's lack of them, a task and a fact that only a newer house knows."""
    house, said = scene.house, []
    before = _restarts(house)
    newer = {"shard": 3, "hint": {"sku": "SKU-00"}}
    for _ in range(_TIMES):
        _put(house, "ingest", message("workers.tasks.drain", "ingest", kwargs=newer))
        _put(
            house,
            "control",
            message("workers.tasks.heartbeat", "control", kwargs={"queue": "skew", **newer}),
        )
        _put(house, "control", message("workers.tasks.reprice", "control", kwargs=newer))
        _put(house, "push.web", message("workers.tasks.push", "push.web"))
        _put(
            house,
            "push.web",
            message("workers.tasks.poll_orders", "push.web", kwargs={"channel": "web"}),
        )
        time.sleep(0.5)
    unknown = fact("blend", f"blend:{uuid4()}", house.skus[0], 1)
    body = json.dumps(unknown).encode()
    with transaction(house.wiring.engine) as connection:
        kept = Delivery("wms", str(unknown["id"]), FACT_TOPIC, body)
        inbox.keep(connection, [kept], now=house.now())
    # Long enough to die of it, and then as long as a busy machine needs to come to it.
    time.sleep(5)
    for name in house.workers:
        house.stack.supervisor.wait_ready(name, limit_s=120)
    until_s = time.monotonic() + SETTLES_S
    while time.monotonic() < until_s and not _is_told(house, str(unknown["id"])):
        time.sleep(0.5)
    said += [f"{name} ended" for name, count in _restarts(house).items() if count > before[name]]
    state, why = house.rows(_STATE, id=unknown["id"])[0]
    # Either can be replayed, by the newer house.
    if state not in ("parked", "rejected") or not why:
        said.append(
            f"a fact of a newer kind is {state} ({why}), should be set aside with its reason"
        )
    if not house.one(_SKEW):
        said.append("a task with arguments of a newer version was not done")
    return said


FAULTS: Final = (
    Fault("queue-rubbish", "pickles, half messages, no JSON, a megabyte, straight into the queues", _thrown_in),
    Fault("other-versions", "tasks, arguments and facts of a newer and an older release", _other_versions),
)  # fmt: skip
