"""The proxy is bad in exactly the way it is told to be, and good otherwise."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from console.faults.proxy import Proxy


class Echo(socketserver.BaseRequestHandler):
    """Answers with what it is sent, and remembers it."""

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, EchoServer)
        while data := self.request.recv(65_536):
            server.heard.append(data)
            self.request.sendall(data)


class EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.heard: list[bytes] = []


@pytest.fixture
def server() -> Iterator[EchoServer]:
    with EchoServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: EchoServer) -> Iterator[Proxy]:
    proxy = Proxy("127.0.0.1", server.server_address[1])
    yield proxy
    proxy.close()


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def said(connection: socket.socket, words: bytes) -> bytes:
    """What comes back for these words; b"" at a good end."""
    connection.sendall(words)
    heard = b""
    while len(heard) < len(words):
        part = connection.recv(65_536)
        if not part:
            break
        heard += part
    return heard


def ends_at_once(proxy: Proxy) -> bool:
    """A new connection is closed, in whatever way, and nothing is answered."""
    try:
        with connected(proxy) as connection:
            return said(connection, b"anybody?") == b""
    except ConnectionError:
        return True


def test_what_is_sent_arrives_and_comes_back_whole(proxy: Proxy) -> None:
    words = bytes(range(256)) * 4000
    with connected(proxy) as connection:
        threading.Thread(target=connection.sendall, args=(words,)).start()
        heard = b""
        while len(heard) < len(words):
            heard += connection.recv(65_536)

    assert heard == words


def test_an_end_in_good_order_is_passed_on_as_one(proxy: Proxy, server: EchoServer) -> None:
    with connected(proxy) as connection:
        assert said(connection, b"first") == b"first"
        connection.shutdown(socket.SHUT_WR)

        assert connection.recv(10) == b""


def test_a_cut_ends_old_connections_and_new_ones_until_it_is_mended(proxy: Proxy) -> None:
    with connected(proxy) as old:
        assert said(old, b"one") == b"one"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            said(old, b"two")
    assert ends_at_once(proxy)
    proxy.pass_on()

    with connected(proxy) as again:
        assert said(again, b"four") == b"four"


def test_what_is_swallowed_is_neither_heard_nor_answered_nor_refused(
    proxy: Proxy, server: EchoServer
) -> None:
    with connected(proxy) as old:
        assert said(old, b"one") == b"one"
        proxy.swallow()
        with connected(proxy) as new:
            for connection in (old, new):
                connection.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    said(connection, b"lost")
    assert b"".join(server.heard) == b"one"


def test_a_connection_that_lost_bytes_is_reset_when_the_network_is_whole_again(
    proxy: Proxy, server: EchoServer
) -> None:
    with connected(proxy) as lost, connected(proxy) as idle:
        assert said(lost, b"one") == b"one"
        assert said(idle, b"two") == b"two"
        proxy.swallow()
        lost.sendall(b"gone")
        # The proxy reads in a thread of its own: until it has, there is nothing lost.
        time.sleep(0.2)
        proxy.pass_on()

        with pytest.raises(ConnectionResetError):
            said(lost, b"three")
        assert said(idle, b"four") == b"four"
    assert b"gone" not in b"".join(server.heard)


def test_a_slow_line_carries_no_more_than_so_many_bytes_a_second(proxy: Proxy) -> None:
    proxy.slow(100)
    with connected(proxy) as connection:
        begun_s = time.monotonic()
        assert said(connection, b"x" * 60) == b"x" * 60
        # Sixty bytes there and the same back, side by side, at a hundred a second.
        assert time.monotonic() - begun_s > 0.5


def test_a_slow_line_that_is_mended_carries_the_rest_at_once(proxy: Proxy) -> None:
    words = b"y" * 50_000
    proxy.slow(50)
    with connected(proxy) as connection:
        mending = threading.Timer(0.2, proxy.pass_on)
        mending.start()
        assert said(connection, words) == words
        mending.join()


def test_a_reset_answer_is_of_a_request_that_arrived(proxy: Proxy, server: EchoServer) -> None:
    proxy.reset_answers(1.0)
    with connected(proxy) as connection, pytest.raises(ConnectionResetError):
        said(connection, b"applied")

    assert server.heard == [b"applied"]
    assert proxy.resets == 1


def test_which_answers_are_reset_follows_from_the_seed(server: EchoServer) -> None:
    def resets(seed: int) -> list[bool]:
        proxy = Proxy("127.0.0.1", server.server_address[1], seed=seed)
        proxy.reset_answers(0.5)
        outcomes = []
        for number in range(20):
            with connected(proxy) as connection:
                try:
                    said(connection, b"%d" % number)
                    outcomes.append(False)
                except ConnectionResetError:
                    outcomes.append(True)
        proxy.close()
        return outcomes

    assert resets(3) == resets(3)
    assert resets(3) != resets(4)
    assert 0 < sum(resets(3)) < 20


def test_a_server_that_is_away_is_seen_as_a_closed_connection(server: EchoServer) -> None:
    with socket.socket() as held:
        # Bound, so that nobody else gets the port, and not listening.
        held.bind(("127.0.0.1", 0))
        proxy = Proxy("127.0.0.1", held.getsockname()[1])
        try:
            assert ends_at_once(proxy)
        finally:
            proxy.close()
