"""How far calls go: to the internet, and into this network only as far as was said.

Addresses of vendors stand in the rule file, those of downloads come in a vendor's answer, those of webhooks were typed
in, and a name can be made to lead anywhere. So a name is looked up when the connection is made, every address that it
has must be fit, and the connection goes to one that was looked at: a name that changes its mind between the look and
the call gains nothing. What is fit is judged in `channels.addresses`.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from channels import addresses
from channels.addresses import Address, Bounds

Inside: TypeAlias = Literal["none", "loopback", "private"]
#: The addresses of a host and port. Raises OSError when there are none.
LookUp: TypeAlias = Callable[[str, int], Sequence[Address]]
#: Why a call to a host by an address is refused, "" when it is not; the last says that it is without TLS.
Refusal: TypeAlias = Callable[[str, Address, bool], str]

_inside: Inside = "loopback"


def let_inside(how_far: Inside) -> None:
    """Say how far calls of this process may go; what was never said is `loopback`, where simulators are."""
    # One network has one answer, and adapters are made far from the settings.
    global _inside
    _inside = how_far


def bounds_of(how_far: Inside) -> Bounds:
    """What the setting LOCKSTEP_INSIDE lets calls do."""
    return Bounds(
        here=how_far != "none",
        inside=how_far == "private",
        for_here="LOCKSTEP_INSIDE says none",
        for_inside="if that is meant, set LOCKSTEP_INSIDE=private",
    )


def why_not(host: str, how_far: Inside) -> str:
    """Why an IP address is not called, "" when it may be."""
    address = ipaddress.ip_address(host.partition("%")[0])
    return addresses.why_not(host, address, bounds_of(how_far))


def why_not_here(host: str, port: int) -> str:
    """The same of a host's name, for clients whose connections are not ours; that none is found is theirs to tell."""
    try:
        found = looked_up(host, port)
    except OSError:
        return ""
    said = (addresses.why_not(host, each, bounds_of(_inside)) for each in found)
    return next(filter(None, said), "")


def looked_up(host: str, port: int) -> list[Address]:
    """The addresses of a host, as this machine finds them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]


def _as_set(host: str, address: Address, _plain: bool) -> str:
    return addresses.why_not(host, address, bounds_of(_inside))


class Reach(HTTPAdapter):
    """An adapter of requests that goes no further than is said.

    refusal    judges each address of a host; what is not said is the setting's word
    look_up    finds them
    """

    def __init__(
        self, *, refusal: Refusal = _as_set, look_up: LookUp = looked_up, **said: Any
    ) -> None:
        self._refusal, self._look_up = refusal, look_up
        super().__init__(**said)

    def init_poolmanager(self, *args: Any, **said: Any) -> None:
        """Connections that go to an address that was looked at."""
        super().init_poolmanager(*args, **said)
        self.poolmanager.pool_classes_by_scheme = _pools(self._refusal, self._look_up)


def _pools(refusal: Refusal, look_up: LookUp) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, refusal, look_up)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, refusal, look_up)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _connected(connection: HTTPConnection, refusal: Refusal, look_up: LookUp) -> socket.socket:
    """A connection to an address that was looked at; every address of the name must be fit."""
    host, plain = connection.host.strip("[]"), not isinstance(connection, HTTPSConnection)
    written = addresses.literal(host)
    try:
        found = [written] if written is not None else look_up(host, connection.port)
    except OSError as error:
        raise NameResolutionError(host, connection, error) from error  # type: ignore[arg-type]  # any error of the look-up
    for address in found:
        if why := refusal(host, address, plain):
            raise NewConnectionError(connection, why)
    failed: OSError | None = None
    for address in found:
        try:
            return create_connection(
                (str(address), connection.port),
                connection.timeout,
                source_address=connection.source_address,
                socket_options=connection.socket_options,
            )
        except OSError as error:
            failed = error
    if isinstance(failed, TimeoutError):
        raise ConnectTimeoutError(connection, f"{host} does not answer") from failed
    raise NewConnectionError(connection, f"{host} cannot be reached: {failed}") from failed
