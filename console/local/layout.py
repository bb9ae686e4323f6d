"""Which processes make a local stack, and what each is told: commands and environment, nothing started here."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import SecretStr

from console.local.probes import Probe, http_answers, log_says, survives
from console.local.supervisor import Service
from workers.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
ENTRY = (sys.executable, "-m", "console")
#: The vendor that is played when none is named.
PLAYED: Final = "shopify"
# What a process that may not speak of its start needs at most on a slow machine.
QUIET_START_S = 5.0


@dataclass(frozen=True, slots=True)
class Worker:
    """One Celery worker.

    queues  what it takes from; empty means all there are
    pool    `threads`: many pushes wait for vendors at once, small and fast to start.
            `prefork`: a task that hangs or grows can be killed alone
    """

    name: str
    queues: tuple[str, ...]
    pool: Literal["threads", "prefork"]
    concurrency: int


@dataclass(frozen=True, slots=True)
class Played:
    """A vendor's account that a simulator plays: what its clients have to know.

    name             ours, the channel's
    account          the vendor's: the shop's domain, the merchant's, seller's or partner's id
    control_url      where merchants, buyers and bad luck are played; see channels/simulators/README.md
    token            "" where the vendor has none;  webhook_secret: what its notifications are signed with
    facts            everything the simulator told of itself, by the vendor's own names
    """

    name: str
    kind: str
    base_url: str
    account: str
    control_url: str
    token: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    control_token: str = field(repr=False)
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)

    def secrets(self) -> dict[str, object]:
        """What LOCKSTEP_CHANNEL_SECRETS says of it: what its lane asks for, and the keys of its notifications."""
        if self.kind in _SECRETS:
            named: dict[str, object] = {
                name: self.facts[name] for name in _SECRETS[self.kind] if self.facts.get(name)
            }
        else:
            named = {"token": self.token}
        return {**named, "webhook_secrets": [self.webhook_secret]} if self.webhook_secret else named


#: The secrets of kinds that have no single token.
_SECRETS: Final = {
    "amazon": ("client_id", "client_secret", "refresh_token"),
    "edi": ("user", "password", "host_key"),
}

#: Two small workers that both take from every queue, so that either may die and the other goes on.
LAPTOP = (
    Worker("worker-threads", (), "threads", 8),
    Worker("worker-prefork", (), "prefork", 1),
)


def environment(settings: Settings) -> dict[str, str]:
    """The settings as `LOCKSTEP_*` variables; a process that reads them has the same settings.

    Fields without a value are left out.
    """
    return {
        f"LOCKSTEP_{name.upper()}": _written(value) for name, value in settings if value is not None
    }


def relay(settings: Settings, entry: Sequence[str] = ENTRY) -> Service:
    """The door for webhooks."""
    url = f"http://{settings.relay_host}:{settings.relay_port}/healthz"
    return _service("relay", settings, (*entry, "serve", "relay"), http_answers(url))


def worker(settings: Settings, worker: Worker, entry: Sequence[str] = ENTRY) -> Service:
    """One Celery worker; ready when it takes work."""
    command = (
        *entry, "worker",
        "--name", worker.name,
        *(("--queues", ",".join(worker.queues)) if worker.queues else ()),
        "--pool", worker.pool,
        "--concurrency", str(worker.concurrency),
    )  # fmt: skip
    service = _service(worker.name, settings, command, _says(settings, " ready."))
    # Empty, not SIGQUIT as in production: a soft end sits out worker_soft_shutdown_timeout even when idle, and a person
    # who pressed Ctrl-C waits for it. What a warm end leaves undone after the grace, PostgreSQL remembers.
    return replace(service, env={**service.env, "REMAP_SIGTERM": ""}, grace_s=10.0)


def beat(settings: Settings, entry: Sequence[str] = ENTRY) -> Service:
    """The clock: rings the sweep and the reconciliation."""
    return _service("beat", settings, (*entry, "beat"), _says(settings, "beat", "tarting"))


def flower(settings: Settings, entry: Sequence[str] = ENTRY) -> Service:
    """Celery's own monitor."""
    url = f"http://{settings.flower_host}:{settings.flower_port}/healthcheck"
    return _service("flower", settings, (*entry, "flower"), http_answers(url))


def api(settings: Settings, entry: Sequence[str] = ENTRY) -> Service:
    """The API, and the dashboard with it."""
    url = f"http://{settings.relay_host}:{settings.api_port}/healthz"
    return _service("api", settings, (*entry, "serve", "api"), http_answers(url))


def simulators(
    settings: Settings, kinds: Mapping[str, str], facts: Path, entry: Sequence[str] = ENTRY
) -> Service:
    """The vendors, played by one process; ready once it has written what they are.

    kinds    the vendor of each account, by the account's name
    """
    named = [
        part
        for name, kind in kinds.items()
        for part in ("--name", name if kind == PLAYED else f"{name}={kind}")
    ]
    command = (*entry, "sim", "up", "--facts", str(facts), *named)
    service = _service("simulators", settings, command, lambda _child: facts.exists())
    # One that died has forgotten its shops; a new one under the old name would be a lie.
    return replace(service, restart=False)


def played(facts: str) -> dict[str, Played]:
    """The accounts by name, from what `sim up --facts` wrote."""
    told: dict[str, dict[str, Any]] = json.loads(facts)
    return {name: Played(name=name, **of) for name, of in told.items()}


def _written(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _service(name: str, settings: Settings, command: Sequence[str], ready: Probe) -> Service:
    # Python holds back what it prints to a file; a probe and a reader want it at once.
    env = {**environment(settings), "PYTHONUNBUFFERED": "1"}
    return Service(name, tuple(command), env=env, cwd=ROOT, ready=ready)


def _says(settings: Settings, *words: str) -> Probe:
    """Celery speaks of its start at level INFO; below that, surviving must do."""
    quiet = settings.log_level.upper() not in ("DEBUG", "INFO")
    return survives(QUIET_START_S) if quiet else log_says(*words)
