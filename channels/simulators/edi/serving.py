"""A trading partner with its mailbox in a folder and over SFTP, and its control plane behind HTTP."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from channels.simulators.clock import Clock
from channels.simulators.edi.app import make_app
from channels.simulators.edi.simulator import POLL_S, EdiSimulator
from channels.simulators.server import Server

if TYPE_CHECKING:
    from channels.simulators.edi.sftp import SftpFace


@dataclass(frozen=True, slots=True)
class EdiFacts:
    """What a merchant of a running partner has to know.

    base_url     the mailbox as a folder: `file:///...`
    sftp_url     the same mailbox over SFTP, with `user`, `password` and `host_key`; empty without the SFTP library
    partner_*, our_*   qualifiers and ids of the ISA; the GS has the same ids
    """

    base_url: str
    sftp_url: str
    user: str
    password: str
    host_key: str
    control_url: str
    control_token: str
    partner_qualifier: str
    partner_id: str
    our_qualifier: str
    our_id: str
    version: str


@dataclass(frozen=True, slots=True)
class EdiRunning:
    """A partner served from a thread of this process; `simulator` can be driven directly as well."""

    facts: EdiFacts
    simulator: EdiSimulator
    _server: Server = field(repr=False)
    sftp: SftpFace | None = field(repr=False)

    def stop(self) -> None:
        """Take the servers down; a mailbox of the partner's own is removed."""
        self._server.stop()
        if self.sftp is not None:
            self.sftp.stop()
        self.simulator.stop()


def start_edi(
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int = 0,
    *,
    clock: Clock | None = None,
    time_scale: float = 1.0,
    root: Path | None = None,
    partner_id: str = "NORTHMART",
    our_id: str = "LOCKSTEP",
    version: str = "004010",
    poll_s: float = POLL_S,
) -> EdiRunning:
    """Serve one partner; port 0 takes a free one, as the SFTP server always does.

    root      where the mailbox lies; a temporary folder when None
    raises    OSError when the port is taken
    """
    dice = random.Random(seed)
    simulator = EdiSimulator(
        clock or Clock(scale=time_scale),
        root,
        partner_id=partner_id,
        our_id=our_id,
        version=version,
        control_token=f"ctl_{dice.getrandbits(128):032x}",
        poll_s=poll_s,
        seed=seed,
    )
    sftp = _sftp(simulator.root, host, f"{dice.getrandbits(96):024x}")
    server = Server(make_app(simulator), host, port)
    server.start()
    way = simulator.partner.way
    facts = EdiFacts(
        base_url=simulator.root.resolve().as_uri(),
        sftp_url=sftp.url if sftp is not None else "",
        user=sftp.user if sftp is not None else "",
        password=sftp.password if sftp is not None else "",
        host_key=sftp.host_key if sftp is not None else "",
        control_url=f"{server.url}/control",
        control_token=simulator.control_token,
        partner_qualifier=way.sender.qualifier,
        partner_id=partner_id,
        our_qualifier=way.receiver.qualifier,
        our_id=our_id,
        version=version,
    )
    return EdiRunning(facts, simulator, server, sftp)


def _sftp(root: Path, host: str, password: str) -> SftpFace | None:
    try:
        from channels.simulators.edi.sftp import SftpFace
    except ImportError:
        return None
    return SftpFace(root, password=password, host=host)
