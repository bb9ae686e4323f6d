"""The processes of a house: relay, worker, beat, Flower. Each reads its settings and runs until it is told to stop."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import click
from pydantic import SecretStr

from console import logs
from console.cli.common import Failed, sentences
from console.local.stack import attached
from workers.settings import Settings, settings
from workers.wiring import NotSetUp, clock_kept, read_secrets

if TYPE_CHECKING:
    from workers.wiring import Wiring


def _here() -> Settings:
    """The settings of this process, with the running local stack's addresses where none are named."""
    with sentences():
        found = attached(settings())
    # Celery reads its settings from the environment when it starts; it must see what we see.
    os.environ["LOCKSTEP_DATABASE_URL"] = found.database_url
    os.environ["LOCKSTEP_REDIS_URL"] = found.redis_url
    settings.cache_clear()
    logs.configure(found.log_level, _secrets(found))
    return found


def _secrets(here: Settings) -> Iterator[str]:
    """Everything that no line of a log may hold."""
    for name in Settings.model_fields:
        value = getattr(here, name)
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
    for url in (here.database_url, here.database_admin_url, here.redis_url):
        password = urlsplit(url).password or ""
        yield from (password, unquote(password))
    # Who needs them and cannot read them says so.
    with contextlib.suppress(NotSetUp):
        for held in read_secrets(here).values():
            yield from (*held.named.values(), *held.webhook_secrets)


def _open(
    here: Settings,
    app: Any,
    port: int,
    house: Wiring,
    *,
    most: int,
    keep_alive_s: int = 15,
    proxy_headers: bool = True,
) -> None:
    """Open a door until the process is told to stop; meanwhile its clock is held against the database's.

    app     an ASGI application
    most    requests at once; further ones are refused with 503
    """
    import uvicorn

    from console.serving import options

    bounds = options(most=most, keep_alive_s=keep_alive_s, proxy_headers=proxy_headers)
    kind = click.get_current_context().info_name or "door"
    with clock_kept(kind, house.engine):
        uvicorn.run(app, host=here.relay_host, port=port, **bounds)


@click.group()
def serve() -> None:
    """Run a door."""


@serve.command()
def relay() -> None:
    """Take webhooks (POST /hooks/...) and canonical events (POST /events)."""
    here = _here()
    from console.guesses import shared_by
    from console.relay import application
    from workers.tasks import ring_drain
    from workers.wiring import Wiring

    with sentences():
        house = Wiring(here)
        shared = shared_by(house)
        app = application(here, house.engine, ring_drain, traces=house.traces, guesses=shared)
    _open(here, app, here.relay_port, house, most=512)


@serve.command()
def availability() -> None:
    """Answer what stores may promise for pick-up (GET /availability/...), without the relay's other doors."""
    here = _here()
    from console.availability import application
    from console.guesses import Guesses, shared_by
    from workers.garbage import collect_seldom
    from workers.wiring import Wiring

    with sentences():
        house = Wiring(here)
        app = application(here, house.engine)
    # A thread that reads the database would hold up answers for five milliseconds at a time.
    sys.setswitchinterval(0.0005)
    collect_seldom()
    guarded = Guesses(app, shared=shared_by(house))
    _open(here, guarded, here.availability_port, house, most=512, proxy_headers=False)


@serve.command()
def api() -> None:
    """Answer operators and programs (/api/v1), and let browsers in (/login)."""
    here = _here()
    from console.api.app import application
    from console.pages.warm import warm
    from workers.wiring import Wiring

    with sentences():
        house = Wiring(here)
        app = application(house)
    warm(app)
    _open(here, app, here.api_port, house, most=256)


@serve.command()
def metrics() -> None:
    """Answer Prometheus (GET /metrics); one such process serves the whole house."""
    here = _here()
    from console.guesses import shared_by
    from console.metrics.door import application
    from console.metrics.exporter import Exporter
    from workers.wiring import Wiring, now

    with sentences():
        wiring = Wiring(here)
        _ = wiring.engine
    shared = shared_by(wiring)
    app = application(Exporter(wiring, now), here.metrics_token.get_secret_value(), shared=shared)
    _open(here, app, here.metrics_port, wiring, most=16, keep_alive_s=5)


@click.command()
@click.option(
    "--name", default="worker", show_default=True, help="Name of the worker on this host."
)
@click.option(
    "--queues",
    default="",
    help="Queues it takes from, separated by commas; all of them if left out.",
)
@click.option(
    "--pool",
    type=click.Choice(["prefork", "threads", "solo"]),
    default="prefork",
    show_default=True,
    help="How tasks are run beside each other.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Tasks at a time.",
)
def worker(name: str, queues: str, pool: str, concurrency: int) -> None:
    """Run a worker. Queues: ingest, allocate, reconcile, control, push.<channel>."""
    here = _here()
    # A worker that is told to stop ends what it holds and gives the rest back at once.
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")
    import celeryconfig
    from workers.app import app

    known = [queue.name for queue in celeryconfig.task_queues]
    wanted = [q for q in queues.replace(" ", "").split(",") if q] or known
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise Failed(
            f"no queue {', '.join(unknown)}; there are {', '.join(known)} (LOCKSTEP_CHANNELS names the channels)"
        )
    app.worker_main(
        [
            "worker",
            f"--hostname={name}@%h",
            f"--queues={','.join(wanted)}",
            f"--pool={pool}",
            f"--concurrency={concurrency}",
            "--without-gossip",
            "--without-mingle",
            f"--loglevel={here.log_level.upper()}",
        ]
    )


@click.command()
def beat() -> None:
    """Run the clock. Any number of copies may run: a window is a unique row in the database."""
    here = _here()
    from workers.app import app

    app.Beat(loglevel=here.log_level.upper(), quiet=True).run()


@click.command()
def flower() -> None:
    """Run Celery's monitor, on loopback and behind a password unless the settings say otherwise."""
    here = _here()
    password = here.flower_password.get_secret_value()
    if not password:
        raise Failed(
            "Flower shows and steers the workers: set LOCKSTEP_FLOWER_PASSWORD, then start it again",
            code=5,
        )
    from console import flowerconfig

    environment = {
        **os.environ,
        "FLOWER_BASIC_AUTH": f"{here.flower_user}:{password}",
        "FLOWER_ADDRESS": here.flower_host,
        "FLOWER_PORT": str(here.flower_port),
        "FLOWER_MAX_TASKS": "10000",
    }
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "workers.tasks",
        "flower",
        f"--conf={flowerconfig.__file__}",
    ]
    os.execve(sys.executable, command, environment)
