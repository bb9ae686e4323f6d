"""Play vendors' accounts: one process, a server for each account, until told to stop."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from channels.simulators.serve import KINDS, start
from console.local.layout import Played

# Couriers must not hold the interpreter for five milliseconds each while a call waits for its turn.
_SWITCH_S = 0.0005


@dataclass(frozen=True, slots=True)
class Wanted:
    """One account to be played; port 0 takes a free one."""

    name: str
    kind: str = "shopify"
    port: int = 0


class Players(ExitStack):
    """Accounts being played; they end with the block.

    told    the accounts by name, complete when the block begins
    """

    def __init__(self, wanted: Sequence[Wanted], *, host: str, seed: int) -> None:
        """Start every account.

        seed      tokens, ids and dice follow from it; each account gets its own
        raises    OSError when a port is taken
        """
        super().__init__()
        sys.setswitchinterval(_SWITCH_S)
        self.told: dict[str, Played] = {}
        with ExitStack() as starting:
            for number, one in enumerate(wanted):
                running = start(
                    one.kind, host, one.port, seed + number, shop=f"{one.name}.myshopify.com"
                )
                starting.callback(running.stop)
                facts = running.facts
                self.told[one.name] = Played(
                    name=one.name,
                    kind=one.kind,
                    base_url=facts.base_url,
                    account=facts.shop,
                    control_url=facts.control_url,
                    token=facts.token,
                    webhook_secret=facts.webhook_secret,
                    control_token=facts.control_token,
                )
            self.push(starting.pop_all())


def as_json(told: dict[str, Played]) -> str:
    """Every account with its secrets, in one line; `console.local.layout.played` reads it."""
    return json.dumps(
        {
            name: {
                field: getattr(one, field)
                for field in Played.__dataclass_fields__
                if field != "name"
            }
            for name, one in told.items()
        }
    )


def write_facts(file: Path, told: dict[str, Played]) -> None:
    """Write the accounts, whole or not at all; only our own user may read them."""
    draft = file.with_name(f"{file.name}.draft")
    draft.touch(mode=0o600)
    draft.write_text(as_json(told))
    draft.replace(file)


def told_to_end() -> threading.Event:
    """Set at SIGINT or SIGTERM from here on; call it before anybody is told that the accounts answer."""
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    return told


def wanted(names: Sequence[str], kinds: Sequence[str], count: int) -> list[Wanted]:
    """The accounts for what a person asked: by name, or `count` of each kind."""
    if names:
        return [Wanted(name, kinds[0] if kinds else KINDS[0]) for name in names]
    chosen = kinds or KINDS
    return [
        Wanted(kind if count == 1 else f"{kind}-{number}", kind)
        for kind in chosen
        for number in range(1, count + 1)
    ]


def at_ports(accounts: Sequence[Wanted], port: int) -> list[Wanted]:
    """One port after the other from `port`; 0 leaves them free."""
    return [replace(one, port=port + number if port else 0) for number, one in enumerate(accounts)]
