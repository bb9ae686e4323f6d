"""Our own Valkey: it keeps what a kept home gave it, and wants a password."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from console.local.errors import AlreadyRunning
from console.local.valkey import RunningValkey, start_valkey


@pytest.fixture
def home(scratch: Path) -> Path:
    return scratch / "a home with spaces"


@pytest.fixture
def valkey_server(home: Path) -> Iterator[RunningValkey]:
    server = start_valkey(home, durable=True)
    yield server
    server.discard()


def test_valkey_keeps_its_data_over_a_kill(valkey_server: RunningValkey) -> None:
    with redis.Redis.from_url(valkey_server.url) as client:
        client.set("bell", "rung")
        # The append-only file is written at once and synced within a second.
        time.sleep(0.1)
    first, url = valkey_server.pid, valkey_server.url

    valkey_server.kill()
    valkey_server.start()

    with redis.Redis.from_url(valkey_server.url) as client:
        assert client.get("bell") == b"rung"
    assert valkey_server.pid != first
    assert valkey_server.url == url


def test_valkey_refuses_rather_than_forgets(valkey_server: RunningValkey) -> None:
    with redis.Redis.from_url(valkey_server.url, decode_responses=True) as client:
        kept = {
            name: client.config_get(name)[name]
            for name in ("maxmemory-policy", "appendonly", "appendfsync", "bind")
        }

    assert kept == {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "bind": "127.0.0.1",
    }


def test_a_fleeting_valkey_writes_nothing(scratch: Path) -> None:
    server = start_valkey(scratch, durable=False)
    with redis.Redis.from_url(server.url) as client:
        client.set("bell", "rung")

    server.stop()

    assert list(server.data.iterdir()) == []


def test_valkey_wants_its_password(valkey_server: RunningValkey) -> None:
    with socket.create_connection(("127.0.0.1", valkey_server.port)) as caller:
        caller.sendall(b"PING\r\n")
        answer = caller.recv(100)

    assert answer.startswith(b"-NOAUTH")


def test_one_valkey_serves_a_home(valkey_server: RunningValkey, home: Path) -> None:
    with pytest.raises(AlreadyRunning):
        start_valkey(home, durable=True)
