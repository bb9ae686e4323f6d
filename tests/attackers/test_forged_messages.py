"""Who can write to the broker: what a signed house does with messages that nobody with its key sent."""

from __future__ import annotations

import base64
import json
import os
import pickle
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import redis

import celeryconfig
from tests.builders import a_fact
from tests.servers import Database
from workers.signing import HEADER, is_ours, keys_of, signature

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW, STRANGE = "k" * 32, "n" * 32, "s" * 32
TASK, RECEIVE = "workers.tasks.sweep", "workers.tasks.receive"
QUEUES: Final = "lockstep:forged:"


def test_messages_are_json_and_nothing_else_is_read() -> None:
    """Pickle and YAML would run what a stranger wrote."""
    assert celeryconfig.accept_content == ["json"]
    assert {
        celeryconfig.task_serializer,
        celeryconfig.result_serializer,
        celeryconfig.event_serializer,
    } == {"json"}
    assert celeryconfig.result_backend is None


def signed(key: str, **changed: Any) -> bool:
    """Whether a message is believed of which this was changed on its way."""
    said: dict[str, Any] = {"name": TASK, "task_id": "1", "args": [], "kwargs": {"channel": "shop"}}
    mark = signature(key, **said)
    return is_ours((NEW, OLD), changed.pop("given", mark), **(said | changed))


def test_either_key_signs_while_keys_change_and_no_other_does() -> None:
    assert [signed(key) for key in (NEW, OLD, STRANGE, "")] == [True, True, False, False]
    assert keys_of(f" {NEW}, {OLD},") == (NEW, OLD)
    assert keys_of("") == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "workers.tasks.push"},
        {"task_id": "2"},
        {"args": [1]},
        {"kwargs": {"channel": "other"}},
        {"kwargs": {}},
        {"given": None},
        {"given": ""},
        {"given": ["x"]},
        {"given": "\ud800"},
        {"given": "0" * 64},
    ],
)
def test_what_was_changed_after_it_was_signed_is_not_believed(changed: dict[str, Any]) -> None:
    assert not signed(NEW, **changed)


def test_a_signature_outlives_the_way_through_json() -> None:
    kwargs = {"body": {"a": [1, 2.5, None, "é\u202e"], "b": {"z": 1, "y": True}}, "headers": {}}
    mark = signature(NEW, RECEIVE, "1", ("x",), kwargs)

    assert is_ours((NEW,), mark, RECEIVE, "1", ["x"], json.loads(json.dumps(kwargs)))


def test_without_a_key_nothing_is_asked_of_a_message() -> None:
    assert is_ours((), None, TASK, "1", [], {})


@contextmanager
def a_worker(database: Database, valkey: str, home: Path) -> Iterator[dict[str, str]]:
    """A worker of a house whose messages are signed, alone on the queue `ingest`."""
    environment = os.environ | {
        "LOCKSTEP_DATABASE_URL": database.app_url,
        "LOCKSTEP_REDIS_URL": valkey,
        "LOCKSTEP_HOME": str(home),
        "LOCKSTEP_ENV": "forged",
        "LOCKSTEP_TASK_KEY": f"{NEW},{OLD}",
        "LOCKSTEP_LOG_LEVEL": "INFO",
    }
    words = [sys.executable, "-m", "console", "worker", "--queues", "ingest", "--pool", "solo"]
    with (home / "worker.log").open("w") as log:
        worker = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        yield environment
    finally:
        worker.kill()
        worker.wait(10)


def message(kwargs: Any, *, name: str = RECEIVE, **changed: Any) -> bytes:
    """A message as it lies in Redis, signed with the key of the house unless `changed` says otherwise."""
    number = str(uuid.uuid4())
    body = json.dumps(
        [[], kwargs, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    ).encode()
    headers = {
        "lang": "py",
        "task": name,
        "id": number,
        "root_id": number,
        "parent_id": None,
        "retries": 0,
    }
    headers[HEADER] = signature(OLD, name, number, [], kwargs)
    if changed.get("unsigned"):
        del headers[HEADER]
    headers |= changed.get("headers", {})
    envelope = {
        "body": base64.b64encode(changed.get("body", body)).decode(),
        "content-encoding": changed.get("encoding", "utf-8"),
        "content-type": changed.get("kind", "application/json"),
        "headers": headers,
        "properties": {
            "correlation_id": number, "delivery_mode": 2, "priority": 0, "body_encoding": "base64",
            "delivery_tag": number, "delivery_info": {"exchange": "lockstep", "routing_key": "ingest"},
        },
    }  # fmt: skip
    return json.dumps(envelope).encode()


def a_delivery(name: str) -> dict[str, Any]:
    """What the task `receive` is told: a receipt of a unit."""
    fact = a_fact("receipt", id=name, units=1)
    return {
        "source": "wms",
        "topic": "fact",
        "delivery_id": name,
        "headers": {},
        "body": json.dumps(fact),
    }


class Mischief:
    """Unpickled, it leaves a file."""

    def __init__(self, at: Path) -> None:
        self.at = at

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.at,))


@pytest.mark.slow
def test_a_worker_does_nothing_that_was_not_signed_and_lives_on(
    database: Database, valkey: str, tmp_path: Path
) -> None:
    """Forged in every way a stranger can, straight into Valkey; the last one is ours and is done."""
    run = tmp_path / "ran"
    good, other = a_delivery("good"), a_delivery("other")
    forged = [
        message(a_delivery("unsigned"), unsigned=True),
        message(a_delivery("another key"), headers={HEADER: signature(STRANGE, RECEIVE, "1", [], {})}),
        message(other, body=json.dumps([[], a_delivery("another body"), {}]).encode()),
        message(a_delivery("for another task"), headers={"task": "workers.tasks.drain"}),
        message(a_delivery("unpickled"), kind="application/x-python-serialize", encoding="binary",
                body=pickle.dumps(Mischief(run))),
        message(a_delivery("yaml"), kind="application/x-yaml",
                body=f"!!python/object/apply:os.mknod ['{run}']".encode()),
        message({"channel": "x"}, name="os.system"),
        message({"no": "such", "arguments": 1}, name=TASK),
        message({"source": {"a": 1}, "topic": [], "delivery_id": 10**40, "headers": "x", "body": None}),
        message(a_delivery("deflated"), headers={"compression": "zlib"}, body=b"x\x9c" + b"\x00" * 50),
    ]  # fmt: skip
    with a_worker(database, valkey, tmp_path), closing(redis.Redis.from_url(valkey)) as broker:
        for each in [*forged, message(good)]:
            broker.lpush(f"{QUEUES}ingest", each)
        until = time.monotonic() + 60
        while "good" not in (kept := _kept(database)):
            assert time.monotonic() < until, (tmp_path / "worker.log").read_text()[-3000:]
            time.sleep(0.1)
        said = (tmp_path / "worker.log").read_text()

    # Whoever has the key may say what makes no sense: it is kept and told, as any delivery is.
    assert set(kept) - {"good"} <= {str(10**40), "1" + "0" * 40}
    assert not run.exists()
    assert said.count("task.unsigned") >= 3
    assert NEW not in said + OLD


def _kept(database: Database) -> list[str]:
    with database.owner.connect() as connection:
        return list(
            connection.exec_driver_sql("SELECT delivery_id FROM inbox ORDER BY id").scalars()
        )
