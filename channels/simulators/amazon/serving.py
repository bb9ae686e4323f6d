"""Serve one seller's account from a thread of this process."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from channels.simulators.amazon.app import make_app
from channels.simulators.amazon.simulator import AmazonSimulator
from channels.simulators.clock import Clock
from channels.simulators.server import Server


@dataclass(frozen=True, slots=True)
class AmazonFacts:
    """What a client of one running account has to know. `sandbox_url` answers with the vendor's recorded pairs."""

    base_url: str
    lwa_url: str
    sandbox_url: str
    client_id: str
    client_secret: str
    refresh_token: str
    seller_id: str
    marketplace_id: str
    hook_secret: str
    control_url: str
    control_token: str


@dataclass(frozen=True, slots=True)
class AmazonRunning:
    """An account served from a thread of this process; `simulator` can be driven directly as well."""

    facts: AmazonFacts
    simulator: AmazonSimulator
    _server: Server = field(repr=False)

    def stop(self) -> None:
        """Take the server down and forget what was still to be delivered."""
        self._server.stop()
        self.simulator.stop()


def start_amazon(
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int = 0,
    *,
    clock: Clock | None = None,
    time_scale: float = 1.0,
    seller_id: str = "A3LOCKSTEPSIM1",
    marketplace_id: str = "ATVPDKIKX0DER",
) -> AmazonRunning:
    """Serve one account; port 0 takes a free one.

    clock    one to hold and advance; else the wall's time, `time_scale` times as fast
    seed     credentials, ids and dice follow from it
    raises   OSError when the port is taken
    """
    dice = random.Random(f"amazon {seed}")
    simulator = AmazonSimulator(
        clock or Clock(scale=time_scale),
        seller_id=seller_id,
        marketplace_id=marketplace_id,
        client_id=f"amzn1.application-oa2-client.{dice.getrandbits(128):032x}",
        client_secret=f"amzn1.oa2-cs.v1.{dice.getrandbits(256):064x}",
        refresh_token=f"Atzr|{dice.getrandbits(256):064x}",
        hook_secret=f"pipe_{dice.getrandbits(128):032x}",
        control_token=f"ctl_{dice.getrandbits(128):032x}",
        seed=seed,
    )
    server = Server(make_app(simulator), host, port)
    simulator.base_url = server.url
    server.start()
    facts = AmazonFacts(
        base_url=server.url,
        lwa_url=f"{server.url}/auth/o2/token",
        sandbox_url=f"{server.url}/sandbox",
        client_id=simulator.lwa.client_id,
        client_secret=simulator.lwa.client_secret,
        refresh_token=simulator.lwa.refresh_token,
        seller_id=seller_id,
        marketplace_id=marketplace_id,
        hook_secret=simulator.hook_secret,
        control_url=f"{server.url}/control",
        control_token=simulator.control_token,
    )
    return AmazonRunning(facts, simulator, server)
