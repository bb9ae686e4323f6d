"""Start simulators: in a thread of this process, or as a process of their own that prints one JSON line when ready."""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO, TypeAlias

from channels.simulators.amazon.serving import AmazonRunning, start_amazon
from channels.simulators.clock import Clock
from channels.simulators.edi.serving import EdiRunning, start_edi
from channels.simulators.server import Server
from channels.simulators.shopify.app import make_app
from channels.simulators.shopify.simulator import ShopifySimulator
from channels.simulators.square.serving import SquareRunning, start_square

KINDS = ("shopify",)
"""What is served when no kind is named."""
ALL_KINDS = (*KINDS, "square", "amazon", "edi")

_SWITCH_S = 0.0005
"""Couriers must not hold the interpreter for five milliseconds each while a call waits for its turn."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a client of one running simulator has to know."""

    base_url: str
    token: str
    webhook_secret: str
    control_url: str
    control_token: str
    shop: str


@dataclass(frozen=True, slots=True)
class Running:
    """A simulator served from a thread of this process; `simulator` can be driven directly as well."""

    facts: Facts
    simulator: ShopifySimulator
    _server: Server = field(repr=False)

    def stop(self) -> None:
        """Take the server down and forget what was still to be delivered."""
        self._server.stop()
        self.simulator.stop()


def start(
    kind: str = "shopify",
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int = 0,
    *,
    clock: Clock | None = None,
    time_scale: float = 1.0,
    bucket_size: float = 2000,
    restore_rate: float = 100,
    huge_ids_every: int = 4,
    shop: str = "lockstep-sim.myshopify.com",
) -> Running:
    """Serve one simulator; port 0 takes a free one.

    clock                      one to hold and advance; else the wall's time, `time_scale` times as fast
    bucket_size, restore_rate  the plan's cost points, and points per second of the clock
    seed                       tokens, ids and dice follow from it
    raises                     ValueError for an unknown kind, OSError when the port is taken
    """
    if kind not in KINDS:
        raise ValueError(f"no simulator {kind!r}; known: {', '.join(KINDS)}")
    dice = random.Random(seed)
    simulator = ShopifySimulator(
        clock or Clock(scale=time_scale),
        domain=shop,
        token=f"shpat_{dice.getrandbits(128):032x}",
        secret=f"shpss_{dice.getrandbits(128):032x}",
        control_token=f"ctl_{dice.getrandbits(128):032x}",
        seed=seed,
        huge_ids_every=huge_ids_every,
        bucket_size=bucket_size,
        restore_rate=restore_rate,
    )
    server = Server(make_app(simulator), host, port, own_date=True)
    simulator.base_url = server.url
    server.start()
    facts = Facts(
        base_url=server.url,
        token=simulator.token,
        webhook_secret=simulator.secret,
        control_url=f"{server.url}/control",
        control_token=simulator.control_token,
        shop=shop,
    )
    return Running(facts, simulator, server)


AnyRunning: TypeAlias = Running | SquareRunning | AmazonRunning | EdiRunning


def start_any(
    kind: str,
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int = 0,
    *,
    time_scale: float = 1.0,
    name: str = "",
    mailbox: Path | None = None,
) -> AnyRunning:
    """Serve one simulator of any kind.

    name      what the vendor calls the account, where a vendor has names: the shop's domain, the partner's id
    mailbox   where a trading partner's files lie; a temporary folder when None
    raises    as `start`
    """
    if kind == "square":
        return start_square(host, port, seed, time_scale=time_scale)
    if kind == "amazon":
        return start_amazon(host, port, seed, time_scale=time_scale)
    if kind == "edi":
        partner_id = re.sub("[^A-Z0-9]", "", name.upper())[:15] or "NORTHMART"
        return start_edi(
            host, port, seed, time_scale=time_scale, partner_id=partner_id, root=mailbox
        )
    shop = f"{name or 'lockstep-sim'}.myshopify.com"
    return start(kind, host, port, seed, time_scale=time_scale, shop=shop)


def run(
    kinds: Sequence[str] = KINDS,
    host: str = "127.0.0.1",
    ports: Mapping[str, int] | None = None,
    seed: int = 0,
    *,
    time_scale: float = 1.0,
    out: TextIO | None = None,
    until: threading.Event | None = None,
) -> None:
    """Serve simulators until SIGINT or SIGTERM (or `until` is set); prints one JSON line, kind -> facts, when ready.

    ports   a port per kind; a free one where none is given
    """
    until = until or threading.Event()
    sys.setswitchinterval(_SWITCH_S)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: until.set())
    with contextlib.ExitStack() as running:
        line: dict[str, dict[str, str]] = {}
        for kind in kinds:
            one = start_any(kind, host, (ports or {}).get(kind, 0), seed, time_scale=time_scale)
            running.callback(one.stop)
            line[kind] = asdict(one.facts)
        print(json.dumps(line), file=out or sys.stdout, flush=True)
        until.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m channels.simulators.serve [--kind shopify] [--host H] [--port shopify=9101] [--seed N]`."""
    parser = argparse.ArgumentParser(description="Serve vendor simulators.")
    parser.add_argument(
        "--kind", action="append", choices=ALL_KINDS, help="which vendor; shopify when absent"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", action="append", default=[], metavar="KIND=PORT")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--time-scale", type=float, default=1.0, help="simulated seconds per real second"
    )
    given = parser.parse_args(arguments)
    ports = {kind: int(port) for kind, _, port in (pair.partition("=") for pair in given.port)}
    run(given.kind or KINDS, given.host, ports, given.seed, time_scale=given.time_scale)


if __name__ == "__main__":
    main()
