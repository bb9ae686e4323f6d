"""Play vendors' accounts: one process, a server for each account, until told to stop."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from channels.simulators.serve import ALL_KINDS, KINDS, start_any
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

    def __init__(
        self, wanted: Sequence[Wanted], *, host: str, seed: int, mailboxes: Path | None = None
    ) -> None:
        """Start every account.

        seed         tokens, ids and dice follow from it; each account gets its own
        mailboxes    where those of trading partners lie, each emptied; a temporary folder each when None
        raises       OSError when a port is taken
        """
        super().__init__()
        sys.setswitchinterval(_SWITCH_S)
        self.told: dict[str, Played] = {}
        with ExitStack() as starting:
            for number, one in enumerate(wanted):
                mailbox = None
                if one.kind == "edi" and mailboxes is not None:
                    mailbox = mailboxes / one.name
                    # A partner of an earlier run has forgotten what it sent there; this one's goes with it.
                    shutil.rmtree(mailbox, ignore_errors=True)
                    starting.callback(shutil.rmtree, mailbox, ignore_errors=True)
                running = start_any(
                    one.kind, host, one.port, seed + number, name=one.name, mailbox=mailbox
                )
                starting.callback(running.stop)
                self.told[one.name] = _played(one, asdict(running.facts))
            self.push(starting.pop_all())


def _played(one: Wanted, facts: dict[str, str]) -> Played:
    """Each vendor calls the same things by other names."""

    def called(*names: str) -> str:
        return next((facts[name] for name in names if name in facts), "")

    return Played(
        name=one.name,
        kind=one.kind,
        base_url=facts["base_url"],
        account=called("shop", "merchant_id", "seller_id", "partner_id"),
        control_url=facts["control_url"],
        token=called("token"),
        webhook_secret=called("webhook_secret", "signature_key", "hook_secret"),
        control_token=facts["control_token"],
        facts=facts,
    )


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
    """The accounts for what a person asked: by name (`outlet`, `dock=edi`), or `count` of each kind.

    raises    ValueError for a kind that is not played
    """
    if names:
        usual = kinds[0] if kinds else KINDS[0]
        parts = [name.partition("=") for name in names]
        unknown = [kind for _, _, kind in parts if kind and kind not in ALL_KINDS]
        if unknown:
            raise ValueError(f"no such vendor: {', '.join(unknown)}; known: {', '.join(ALL_KINDS)}")
        return [Wanted(name, kind or usual) for name, _, kind in parts]
    chosen = kinds or KINDS
    return [
        Wanted(kind if count == 1 else f"{kind}-{number}", kind)
        for kind in chosen
        for number in range(1, count + 1)
    ]


def at_ports(accounts: Sequence[Wanted], port: int) -> list[Wanted]:
    """One port after the other from `port`; 0 leaves them free."""
    return [replace(one, port=port + number if port else 0) for number, one in enumerate(accounts)]
