"""No address that somebody typed in, and none in a vendor's answer, leads a call where it has no business."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
import requests

from channels import downloads
from channels.addresses import networks
from channels.base import Unavailable
from channels.http import Http
from channels.outbound import Unsafe, check, is_fit
from channels.reach import Inside, Reach, let_inside, why_not, why_not_here
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
    "2001:0:4136:e378:8000:63bf:5601:5601",
    "64:ff9b:1::a9fe:a9fe",
    "::a9fe:a9fe",
    "::ffff:0:a9fe:a9fe",
    "168.63.129.16",
    "192.0.0.192",
    "fd20:ce::254",
    "fd00:ec2::23",
    "fd00:42::42",
    "255.255.255.255",
    "0.1.2.3",
    "4000::1",
    "3fff::1",
]
LOOPBACK = ["127.0.0.1", "127.8.9.1", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "2002:7f00:1::", "::7f00:1",
            "64:ff9b::7f00:1", "2001:0:4136:e378:8000:63bf:80ff:fffe"]  # fmt: skip
PRIVATE = ["10.0.0.1", "172.17.0.2", "192.168.1.1", "100.64.0.1", "fd12::1", "fec0::1", "::ffff:10.0.0.1",
           "64:ff9b::a00:1", "2002:a00:1::", "2001:0:4136:e378:8000:63bf:f5ff:fffe"]  # fmt: skip
OUTSIDE = ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"]
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


@pytest.mark.parametrize("address", [*NEVER, *LOOPBACK, *PRIVATE, *OUTSIDE])
def test_an_address_that_was_typed_in_is_judged_as_a_vendor_s_is(address: str) -> None:
    end = ip_address(address.partition("%")[0])
    everything = networks(["0.0.0.0/0", "::/0"])

    assert is_fit(end) == (not why_not(address, "none"))
    assert is_fit(end, everything) == (not why_not(address, "private"))


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("169.254.169.254", "169.254.169.254 is no address of the internet and never called"),
        ("64:ff9b::a00:1", "64:ff9b::a00:1 is 10.0.0.1, which is inside this network"),
        ("::1", "::1 is this machine"),
    ],
)
def test_what_is_refused_has_one_name_whoever_asked(address: str, says: str) -> None:
    assert why_not(address, "none").startswith(says)
    with pytest.raises(Unsafe, match=f"^{re.escape(says)}"):
        check(f"https://[{address}]/" if ":" in address else f"https://{address}/")


def test_a_vendor_s_name_that_changes_its_mind_is_called_where_it_was_looked_at(
    vendor: Stub,
) -> None:
    answers = [["127.0.0.1"], ["127.0.0.1", "169.254.169.254"]]
    url = vendor.url.replace("127.0.0.1", "vendor.example")
    session = requests.Session()
    session.mount("http://", Reach(look_up=lambda _host, _port: [*map(ip_address, answers.pop(0))]))

    assert (
        session.get(f"{url}/orders", headers={"Connection": "close"}, timeout=5).status_code == 200
    )
    with pytest.raises(requests.ConnectionError, match="never called"):
        session.get(f"{url}/orders", timeout=5)

    assert (len(vendor.heard), answers) == (1, [])


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
