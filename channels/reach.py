"""How far calls may go: to the internet, and into this network only as far as the settings say.

Addresses of vendors stand in the rule file, those of downloads come in a vendor's answer, and a name can be made to
lead anywhere. So it is the connection that is looked at, before a byte is sent: no second look-up can change it. What
hands out the keys of a cloud machine (link-local addresses) is never called.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any, Final, Literal, TypeAlias

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

Inside: TypeAlias = Literal["none", "loopback", "private"]

#: Where cloud machines fetch their keys, besides the link-local 169.254.169.254.
_KEYS: Final = frozenset(
    {ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")}
)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")

_inside: Inside = "loopback"


def let_inside(how_far: Inside) -> None:
    """Say how far calls of this process may go; what was never said is `loopback`, where simulators are."""
    # One network has one answer, and adapters are made far from the settings.
    global _inside
    _inside = how_far


def why_not(host: str, how_far: Inside) -> str:
    """Why an IP address is not called, "" when it may be."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        else:
            address = address.ipv4_mapped or address.sixtofour or address
    if address.is_link_local or address in _KEYS or address.is_multicast:
        return f"{address} is never called"
    if address.is_global:
        return ""
    # 0.0.0.0 and :: lead to this machine.
    if address.is_loopback or address.is_unspecified:
        return "" if how_far != "none" else f"{address} is this machine: LOCKSTEP_INSIDE says none"
    if how_far == "private" and address.is_private:
        return ""
    return f"{address} is inside this network: if that is meant, set LOCKSTEP_INSIDE=private"


def why_not_here(host: str, port: int) -> str:
    """The same of a host's name, for clients whose connections are not ours; that none is found is theirs to tell."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return ""
    return next((why for each in found if (why := why_not(str(each[4][0]), _inside))), "")


def _refuse_literal(connection: HTTPConnection) -> None:
    """An address that needs no look-up is not even knocked at."""
    try:
        why = why_not(connection.host.strip("[]"), _inside)
    except ValueError:
        return
    if why:
        raise NewConnectionError(connection, why)


def _looked_at(connection: HTTPConnection, made: socket.socket) -> socket.socket:
    why = why_not(str(made.getpeername()[0]), _inside)
    if why:
        made.close()
        raise NewConnectionError(connection, why)
    return made


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        _refuse_literal(self)
        return _looked_at(self, super()._new_conn())


class _Secure(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        _refuse_literal(self)
        return _looked_at(self, super()._new_conn())


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class Reach(HTTPAdapter):
    """An adapter of requests that goes no further."""

    def init_poolmanager(self, *args: Any, **said: Any) -> None:
        """Connections that are looked at."""
        super().init_poolmanager(*args, **said)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
