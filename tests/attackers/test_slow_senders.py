"""Who sends slowly, without end, or from many connections holds no door shut for anybody else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from sqlalchemy import Engine

from console.serving import options
from ledger.db import connect
from tests.console.door import Door, a_door, head, set_up_channels, the_settings
from tests.servers import Database

HEAD = b"POST /hooks/shopify HTTP/1.1\r\nHost: x\r\n"
BODY = HEAD + b"Content-Length: 1000\r\n\r\n{"
MOST = 40


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    set_up_channels(database)
    engine = connect(database.app_url)
    yield engine
    engine.dispose()


@contextmanager
def a_narrow_door(database: Database, engine: Engine, request_s: float = 60.0) -> Iterator[Door]:
    """A relay that takes forty connections."""
    bounds = options(most=MOST, request_s=request_s)
    with a_door(the_settings(), engine, database, serving=bounds, body_s=60.0) as door:
        yield door


@contextmanager
def senders(door: Door, many: int, said: bytes) -> Iterator[list[socket.socket]]:
    """Connections that have said this much and say no more."""
    with ExitStack() as open_:
        wires = []
        for _ in range(many):
            address = ("127.0.0.1", door.port)
            wire = open_.enter_context(socket.create_connection(address, timeout=10))
            wire.sendall(said)
            wires.append(wire)
        yield wires


def is_closed(wire: socket.socket) -> bool:
    """Whether the door let go of a connection; it is waited for as long as the socket's timeout."""
    with suppress(ConnectionError):
        while wire.recv(65536):
            pass
    return True


def comes_again(door: Door, delivery_id: str) -> int:
    """The last answer to a sender that repeats what was refused, as vendors do: what was let go may still be ending."""
    for _ in range(50):
        code = door.hook(delivery_id=delivery_id).status_code
        if code != 503:
            break
    return code


@pytest.mark.parametrize("said", [b"", HEAD, BODY], ids=["nothing", "half a head", "half a body"])
def test_many_who_never_end_do_not_keep_the_others_out(
    database: Database, engine: Engine, said: bytes
) -> None:
    with a_narrow_door(database, engine) as door, senders(door, 3 * MOST, said) as wires:
        answers = [comes_again(door, f"d-{n}") for n in range(5)]

        assert answers == [200] * 5
        # Those that waited longest were let go for those that came after them.
        assert all(is_closed(wire) for wire in wires[:MOST])


@pytest.mark.parametrize(
    "said", [b"", b"\r\n", HEAD, BODY], ids=["nothing", "empty lines", "head", "body"]
)
def test_a_request_that_does_not_come_whole_in_time_is_let_go(
    database: Database, engine: Engine, said: bytes
) -> None:
    with a_narrow_door(database, engine, request_s=0.3) as door, senders(door, 1, said) as wires:
        assert is_closed(wires[0])
        assert door.hook().status_code == 200


def test_a_head_that_drips_on_and_on_is_let_go(database: Database, engine: Engine) -> None:
    with a_narrow_door(database, engine, request_s=0.3) as door, senders(door, 1, HEAD) as (wire,):
        ended = False
        for number in range(2000):
            try:
                wire.sendall(b"X-%d: 1\r\n" % number)
                wire.settimeout(0.005)
                ended = wire.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                ended = True
            if ended:
                break

        assert ended


def test_what_drips_after_an_early_answer_is_let_go(database: Database, engine: Engine) -> None:
    """A refusal is answered before the body is read: what follows must not hold the connection."""
    early = BODY.replace(b"/hooks/shopify", b"/hooks/nobody")
    with a_narrow_door(database, engine, request_s=0.3) as door, senders(door, 1, early) as (wire,):
        assert wire.recv(65536).startswith(b"HTTP/1.1 404")

        assert is_closed(wire)


@pytest.mark.parametrize(
    "piece", [b"X-Long: " + b"x" * 60_000, b"X: 1\r\n" * 10_000], ids=["one header", "many headers"]
)
def test_a_head_without_end_is_refused_before_it_fills_the_memory(
    database: Database, engine: Engine, piece: bytes
) -> None:
    with a_narrow_door(database, engine) as door, senders(door, 1, HEAD) as (wire,):
        answer = b""
        with suppress(ConnectionError):
            for _ in range(2000):
                wire.sendall(piece)
        with suppress(ConnectionError):
            answer = wire.recv(65536)

        assert answer[:12] in (b"", b"HTTP/1.1 431", b"HTTP/1.1 400")
        assert is_closed(wire)
        assert door.hook().status_code == 200


def test_an_address_without_end_is_refused(database: Database, engine: Engine) -> None:
    with a_narrow_door(database, engine) as door:
        answer = door.raw(head(path="/hooks/" + "x" * 200_000))

        assert answer[:12] in (b"", b"HTTP/1.1 431", b"HTTP/1.1 404")
        assert door.hook().status_code == 200


def test_who_comes_again_on_the_same_connection_is_answered_each_time(
    database: Database, engine: Engine
) -> None:
    """Idle connections are among those that are let go, but never one that is being answered."""
    with a_narrow_door(database, engine, request_s=0.3) as door, senders(door, 1, b"") as (wire,):
        for _ in range(5):
            wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
            answer = b""
            while answer.count(b"HTTP/1.1 200") < 3 or not answer.endswith(b"}"):
                answer += wire.recv(65536)
