"""Where an address leads, and whether a call may go there: one judgement for every call that leaves the house.

An address of IPv6 may carry one of IPv4: what is judged is where it leads. Then it is outside (the internet), here
(this machine), inside (this network), or one that is never called: link-local, multicast, nobody's, or where a cloud
machine fetches its keys. Outside is always called; here and inside as far as the bounds of a call let it.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Side: TypeAlias = Literal["outside", "here", "inside", "never"]

#: Where cloud machines fetch their keys, besides the link-local 169.254.169.254: Alibaba, Azure, Oracle, AWS twice,
#: Google, Scaleway, as their documents of 2026 name them. Two of them would pass as the internet.
_KEYS: Final = frozenset(
    map(
        ipaddress.ip_address,
        ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
         "fd00:42::42"),
    )
)  # fmt: skip
#: IPv6 that carries an address of IPv4 in its last bits: NAT64 (RFC 6052), and what is written as compatible.
_CARRIES_V4: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
#: The whole network but 0.0.0.0 (RFC 791), the broadcast, and addresses of documents (RFC 9637).
_NOBODYS: Final = tuple(map(ipaddress.ip_network, ("0.0.0.0/8", "255.255.255.255/32", "3fff::/20")))


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a call may go beside the internet.

    here        to this machine;  inside   to every network inside
    named       to these networks, here or inside
    for_here    what to do about a call that was refused, said at the end of why;  for_inside  the same
    """

    here: bool = False
    inside: bool = False
    named: tuple[Network, ...] = ()
    for_here: str = ""
    for_inside: str = ""


def networks(said: Iterable[str]) -> tuple[Network, ...]:
    """Networks as they are written in settings, such as 10.1.0.0/16. Raises ValueError."""
    return tuple(ipaddress.ip_network(each, strict=False) for each in said)


def literal(host: str) -> Address | None:
    """A host that is written as an address, in any of the ways that a socket takes; None for a name."""
    bare = host.strip("[]").partition("%")[0]
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(bare))
    except OSError:
        return None


def leads_to(address: Address) -> Address:
    """The address of IPv4 that one of IPv6 carries, else itself."""
    if (
        not isinstance(address, ipaddress.IPv6Address)
        or address.is_loopback
        or address.is_unspecified
    ):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _CARRIES_V4):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def side_of(address: Address) -> Side:
    """Where an address leads."""
    end = leads_to(address)
    if end.is_loopback or end.is_unspecified:
        return "here"
    if end.is_link_local or end.is_multicast or end in _KEYS or is_among(end, _NOBODYS):
        return "never"
    if isinstance(end, ipaddress.IPv6Address):
        # A translator's own prefix is among them (RFC 8215): nobody but that translator knows where it leads.
        if end.is_reserved:
            return "never"
        if end.is_site_local:
            return "inside"
    return "outside" if end.is_global else "inside"


def is_among(address: Address, within: Iterable[Network]) -> bool:
    """Whether where an address leads is in one of these networks."""
    end = leads_to(address)
    return any(end.version == network.version and end in network for network in within)


def why_not(host: str, address: Address, bounds: Bounds) -> str:
    """Why an address is not called, "" when it is.

    host    what the address was asked for by: a name, or itself
    """
    side = side_of(address)
    if side == "outside" or (side != "never" and is_among(address, bounds.named)):
        return ""
    end = leads_to(address)
    who = str(end) if host == str(end) else f"{host} is {end}, which"
    match side:
        case "here" if not bounds.here:
            return f"{who} is this machine, no address of the internet: {bounds.for_here}"
        case "inside" if not bounds.inside:
            return f"{who} is inside this network, no address of the internet: {bounds.for_inside}"
        case "never":
            return f"{who} is no address of the internet and never called, whatever is set"
    return ""
