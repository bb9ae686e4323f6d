"""Calls to addresses that somebody typed in: they reach the internet, and nothing inside unless a network is named.

A host's name is looked up when the connection is made, every address that it has must be fit, and the connection goes
to an address that was looked at: a name that changes its mind between the look and the call gains nothing. No redirect
is followed (`channels.http`), and of the answer no more than its beginning is read, as it came.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Of an answer no more is read: nobody needs it.
ANSWER_BYTES: Final = 4096
_LONGEST: Final = 2000
#: IPv6 that carries an address of IPv4 in its last bits: NAT64 (RFC 6052), and what is written as compatible.
_CARRIES_V4: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))


class Unsafe(ValueError):
    """An address that is not called; the message says why and what to do."""


def networks(said: Iterable[str]) -> tuple[Network, ...]:
    """Networks as they are written in settings, such as 10.1.0.0/16. Raises ValueError."""
    return tuple(ipaddress.ip_network(each, strict=False) for each in said)


def check(url: str, inside: Sequence[Network] = ()) -> None:
    """Refuse what could never be called, without looking up a name.

    inside    networks that may be called though they are not of the internet, and without TLS
    raises    Unsafe
    """
    if len(url) > _LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        raise Unsafe("an address is plain text without blanks, of at most 2000 characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Unsafe(f"this is no address: {error}") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise Unsafe("write the whole address, such as https://example.com/hooks")
    if parts.username is not None or parts.password is not None:
        raise Unsafe("leave name and password out of the address: the signature proves who calls")
    if parts.fragment or port == 0:
        raise Unsafe("leave out what is behind #, and use a port that there is")
    if parts.scheme == "http" and not inside:
        raise Unsafe("use https; without it only networks of LOCKSTEP_HOOK_NETWORKS are called")
    address = _literal(parts.hostname)
    if address is not None and not is_fit(address, inside):
        raise Unsafe(_why(parts.hostname, address))


def host_of(url: str) -> str:
    """The host of an address as somebody typed it; empty where it has none, or is no address at all."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_fit(address: Address, inside: Sequence[Network] = ()) -> bool:
    """Whether an address is one of the internet, or of a network that was named."""
    if any(address.version == network.version and address in network for network in inside):
        return True
    if isinstance(address, ipaddress.IPv6Address):
        carried = _carried(address)
        if carried is not None:
            return is_fit(carried, inside)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The address of IPv4 that one of IPv6 leads to."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _CARRIES_V4):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _literal(host: str) -> Address | None:
    """A host that is written as an address, in any of the ways that a socket takes."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _why(host: str, address: Address) -> str:
    return (
        f"{host} is {address}, which is no address of the internet;"
        " name its network in LOCKSTEP_HOOK_NETWORKS if it is meant"
    )


class Guarded(HTTPAdapter):
    """An adapter for `channels.http` that keeps to what is said above."""

    def __init__(self, inside: Sequence[Network] = ()) -> None:
        self._inside = tuple(inside)
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **said: Any) -> None:
        """Connections of our own in the pools."""
        super().init_poolmanager(*args, **said)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = _pools(self._inside)

    def send(self, request: requests.PreparedRequest, *args: Any, **said: Any) -> requests.Response:
        """Send a request; of the answer's body the beginning, not unpacked."""
        answer = super().send(request, *args, **{**said, "stream": True})
        answer._content = answer.raw.read1(ANSWER_BYTES, decode_content=False)
        answer.close()
        return answer


def _pools(inside: tuple[Network, ...]) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, inside)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, inside)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _connected(connection: HTTPConnection, inside: tuple[Network, ...]) -> socket.socket:
    """A connection to an address that was looked at; every address of the name must be fit."""
    host, plain = connection.host, not isinstance(connection, HTTPSConnection)
    try:
        found = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NameResolutionError(host, connection, error) from error  # type: ignore[arg-type]  # any error of the look-up
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    for address in addresses:
        if not is_fit(address, inside):
            raise NewConnectionError(connection, _why(host, address))
        if plain and not any(
            address.version == network.version and address in network for network in inside
        ):
            raise NewConnectionError(connection, f"{host} is called without TLS: use https")
    failed: OSError | None = None
    for address in addresses:
        try:
            return create_connection(
                (str(address), connection.port),
                connection.timeout,
                source_address=connection.source_address,
                socket_options=connection.socket_options,
            )
        except TimeoutError as error:
            raise ConnectTimeoutError(connection, f"{host} does not answer") from error
        except OSError as error:
            failed = error
    raise NewConnectionError(connection, f"{host} cannot be reached: {failed}") from failed
