"""Addresses that somebody typed in: what is called, and what never is."""

from __future__ import annotations

import gzip
import ipaddress
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from channels.addresses import Address, Network, networks
from channels.base import ChannelError, Refused, Unavailable
from channels.http import Http
from channels.outbound import ANSWER_BYTES, Guarded, Unsafe, check, is_fit

HERE = networks(["127.0.0.0/8", "::1/128"])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1",
        "ff02::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "2001:db8::1", "::7f00:1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "64:ff9b:1::1",
        "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    ],
)  # fmt: skip
def test_what_is_inside_is_not_called(address: str) -> None:
    assert not is_fit(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f:cb07::1", "64:ff9b::5db8:d70e"]
)
def test_the_internet_is_called(address: str) -> None:
    assert is_fit(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://example.com/x", "whole address"),
        ("https:///x", "whole address"),
        ("//example.com", "whole address"),
        ("http://example.com", "use https"),
        ("https://user:pw@example.com/x", "leave name and password out"),
        ("https://example.com/x#frag", "behind #"),
        ("https://example.com:0/", "a port that there is"),
        ("https://example.com:99999/", "no address"),
        ("https://example.com/a b", "without blanks"),
        ("https://example.com/\r\nX: y", "without blanks"),
        ("https://ex\u00e4mple.com/", "plain text"),
        ("https://example.com/" + "x" * 2000, "at most 2000"),
        ("https://127.0.0.1/", "no address of the internet"),
        ("https://127.1/", "no address of the internet"),
        ("https://2130706433/", "no address of the internet"),
        ("https://0x7f000001/", "no address of the internet"),
        ("https://0177.0.0.1/", "no address of the internet"),
        ("https://[::1]/", "no address of the internet"),
        ("https://[::ffff:169.254.169.254]/", "no address of the internet"),
        ("https://169.254.169.254/latest/meta-data", "no address of the internet"),
    ],
)
def test_an_address_that_could_never_be_called_is_refused(url: str, says: str) -> None:
    with pytest.raises(Unsafe, match=says):
        check(url)


def test_a_network_that_was_named_is_called_without_tls_too() -> None:
    check("http://127.0.0.1:8080/hooks", HERE)
    check("https://example.com/hooks", HERE)
    with pytest.raises(Unsafe, match="no address of the internet"):
        check("http://10.0.0.1/", HERE)


class Receiver(BaseHTTPRequestHandler):
    """Counts who comes; answers with a redirect, a bomb, or a word."""

    came: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.came.append(self.path)
        body = b"ok"
        if self.path == "/moved":
            self.send_response(307)
            self.send_header("Location", "/secret")
        else:
            self.send_response(200)
        if self.path == "/bomb":
            body = gzip.compress(b"0" * 50_000_000)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    Receiver.came.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def to(url: str, inside: tuple[Network, ...] = ()) -> Http:
    return Http(url, headers={}, adapter=Guarded(inside))


class Names:
    """Names that lead somewhere else at each look; the last answer stays."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.looks = 0

    def look_up(self, _host: str, _port: int) -> list[Address]:
        self.looks += 1
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [ipaddress.ip_address(each) for each in said.split()]

    def call(self, port: int, *, inside: str = "127.0.0.1/32") -> int:
        guarded = Guarded(networks([inside]), self.look_up)
        there = Http(f"http://hook.example:{port}", headers={}, adapter=guarded)
        return there.call("POST", "/hooks", body=b"{}").status


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nobody_inside_is_reached_by_address_or_name(port: int, host: str) -> None:
    with pytest.raises(ChannelError, match="no address of the internet"):
        to(f"http://{host}:{port}").call("POST", "/", body=b"")

    assert Receiver.came == []


def test_who_is_named_is_reached_and_leads_nowhere_else(port: int) -> None:
    there = to(f"http://localhost:{port}", HERE)

    reply = there.call("POST", "/hooks", body=b"{}")
    with pytest.raises(Refused, match="307"):
        there.call("POST", "/moved", body=b"{}")

    assert (reply.status, reply.body) == (200, b"ok")
    assert Receiver.came == ["/hooks", "/moved"]


def test_a_name_that_changes_its_mind_is_called_where_it_was_looked_at(port: int) -> None:
    names = Names("127.0.0.1", "127.0.0.2")

    assert names.call(port) == 200
    # One look: there is no second one that could lead elsewhere.
    assert names.looks == 1
    with pytest.raises(ChannelError, match="no address of the internet"):
        names.call(port)
    assert Receiver.came == ["/hooks"]


def test_a_name_with_one_address_inside_among_others_is_not_called(port: int) -> None:
    with pytest.raises(ChannelError, match=r"10\.0\.0\.1.*no address of the internet"):
        Names("127.0.0.1 10.0.0.1").call(port)

    assert Receiver.came == []


def test_where_a_cloud_machine_fetches_its_keys_is_not_called_though_its_network_was_named() -> (
    None
):
    everything = networks(["0.0.0.0/0", "::/0"])

    assert is_fit(ipaddress.ip_address("10.0.0.1"), everything)
    assert not is_fit(ipaddress.ip_address("169.254.169.254"), everything)
    assert not is_fit(ipaddress.ip_address("64:ff9b::a9fe:a9fe"), everything)


def test_of_an_answer_only_the_beginning_is_read_and_not_unpacked(port: int) -> None:
    reply = to(f"http://127.0.0.1:{port}", HERE).call("POST", "/bomb", body=b"{}")

    assert len(reply.body) <= ANSWER_BYTES


def test_who_is_not_there_is_tried_again_later() -> None:
    with pytest.raises(Unavailable):
        to("http://127.0.0.1:1", HERE).call("POST", "/", body=b"")
