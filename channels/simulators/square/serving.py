"""A Square account behind HTTP, in a thread of this process."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from channels.simulators.clock import Clock
from channels.simulators.server import Server
from channels.simulators.square.app import make_app
from channels.simulators.square.schema import NEWEST
from channels.simulators.square.simulator import SquareSimulator


@dataclass(frozen=True, slots=True)
class SquareFacts:
    """What a client of a running account has to know.

    signature_key      of the first webhook subscription; each later one has its own
    notification_url   of the subscription made at the start; empty when there is none yet
    """

    base_url: str
    token: str
    signature_key: str
    notification_url: str
    control_url: str
    control_token: str
    merchant_id: str
    version: str


@dataclass(frozen=True, slots=True)
class SquareRunning:
    """An account served from a thread of this process; `simulator` can be driven directly as well."""

    facts: SquareFacts
    simulator: SquareSimulator
    _server: Server = field(repr=False)

    def stop(self) -> None:
        """Take the server down and forget what was still to be delivered."""
        self._server.stop()
        self.simulator.stop()


def start_square(
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int = 0,
    *,
    clock: Clock | None = None,
    time_scale: float = 1.0,
    notification_url: str = "",
    version: str = NEWEST,
) -> SquareRunning:
    """Serve one account; port 0 takes a free one.

    notification_url   subscribed to every event from the start, byte for byte what signatures are made over
    version            `Square-Version` of calls that send none
    raises             OSError when the port is taken
    """
    dice = random.Random(seed)
    simulator = SquareSimulator(
        clock or Clock(scale=time_scale),
        token=f"EAAA{dice.getrandbits(240):060x}",
        signature_key=f"{dice.getrandbits(88):022x}",
        control_token=f"ctl_{dice.getrandbits(128):032x}",
        notification_url=notification_url,
        default_version=version,
        seed=seed,
    )
    server = Server(make_app(simulator), host, port, own_date=True)
    server.start()
    facts = SquareFacts(
        base_url=server.url,
        token=simulator.token,
        signature_key=simulator.signature_key,
        notification_url=notification_url,
        control_url=f"{server.url}/control",
        control_token=simulator.control_token,
        merchant_id=simulator.merchant.id,
        version=version,
    )
    return SquareRunning(facts, simulator, server)
