"""No address that somebody typed in, and none in a vendor's answer, leads a call where it has no business."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels import downloads
from channels.base import Unavailable
from channels.http import Http
from channels.reach import Inside, let_inside, why_not, why_not_here
from tests.channels.stub import Answer, Stub, a_stub
from workers.settings import Settings
from workers.wiring import Wiring

NEVER = [
    "169.254.169.254",
    "169.254.1.1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "100.100.100.200",
    "224.0.0.1",
    "ff02::1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]
LOOPBACK = ["127.0.0.1", "127.8.9.1", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"]
PRIVATE = ["10.0.0.1", "172.17.0.2", "192.168.1.1", "fd12::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"]
OUTSIDE = ["8.8.8.8", "2606:4700::1111"]
FAR: list[Inside] = ["none", "loopback", "private"]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    let_inside("loopback")


@pytest.fixture
def vendor() -> Iterator[Stub]:
    with a_stub() as stub:
        yield stub


@pytest.mark.parametrize("far", FAR)
def test_each_setting_reaches_as_far_as_it_says(far: Inside) -> None:
    let = {
        name: {address for address in addresses if not why_not(address, far)}
        for name, addresses in (("never", NEVER), ("loopback", LOOPBACK), ("private", PRIVATE), ("outside", OUTSIDE))
    }  # fmt: skip

    assert let["never"] == set()
    assert let["outside"] == set(OUTSIDE)
    assert let["loopback"] == (set() if far == "none" else set(LOOPBACK))
    assert let["private"] == (set(PRIVATE) if far == "private" else set())


def test_without_a_word_simulators_are_reached_and_the_rest_of_the_network_is_not() -> None:
    assert Settings().inside == "loopback"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_where_nothing_inside_is_called_no_byte_arrives(vendor: Stub, host: str) -> None:
    """A name is as good as the address it leads to: what is looked at is the connection itself."""
    http = Http(vendor.url.replace("127.0.0.1", host), headers={})
    let_inside("none")

    with pytest.raises(Unavailable, match="LOCKSTEP_INSIDE says none"):
        http.call("GET", "/orders")

    assert vendor.heard == []
    let_inside("loopback")
    assert http.call("GET", "/orders").status == 200


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "[::ffff:169.254.169.254]", "10.0.0.1", "[fe80::1]", "192.168.0.1"],
)
def test_an_address_inside_is_not_even_knocked_at(address: str) -> None:
    with pytest.raises(Unavailable, match=r"never called|inside this network"):
        Http(f"http://{address}:9", headers={}).call("GET", "/latest/meta-data/")


def test_a_download_that_leads_inside_by_a_redirect_ends_there(vendor: Stub) -> None:
    there = {"Location": "http://169.254.169.254/latest/meta-data/"}
    vendor.says(Answer(b"", 302, there))

    with pytest.raises(Unavailable):
        list(downloads.lines(f"{vendor.url}/file"))

    assert len(vendor.heard) == 1


def test_a_process_keeps_to_its_own_setting() -> None:
    Wiring(Settings(inside="none")).close()

    assert "this machine" in why_not_here("localhost", 80)
