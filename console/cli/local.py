"""Everything on this machine: the demo, a house to try things in, the local stack."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import click

from console.access.secrets import BYTES
from console.access.types import Role
from console.cli.common import sentences, user
from console.local.stack import Stack
from console.local.supervisor import State, raise_on_sigterm
from workers.settings import settings

_OPEN_FOR = timedelta(days=1)
#: The token that opens a local stack: each start makes it anew, and the one before ends.
_NAMED = "local"


@click.command()
@click.option(
    "--keep",
    is_flag=True,
    help="Leave it up after the day and print the addresses; Ctrl-C ends it.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the outcome here.",
)
@click.option(
    "--orders",
    default=200,
    show_default=True,
    type=click.IntRange(40, 20_000),
    help="Orders in the busy stretch.",
)
@click.option(
    "--rate",
    default=20.0,
    show_default=True,
    type=click.FloatRange(1, 200),
    help="Orders a second.",
)
@click.option("--seed", default=1, show_default=True, help="What the day's dice follow from.")
def demo(keep: bool, json_file: Path | None, orders: int, rate: float, seed: int) -> None:
    """Run a whole house on this machine through a day, and check it. Exit code 0: every check passed.

    It makes a home of its own in the temporary folder and removes it; a database or a Redis that the settings name is
    not touched.
    """
    from console.demo.day import Wishes, run

    raise_on_sigterm()
    with sentences():
        passed = run(settings(), Wishes(orders, rate, seed, keep=keep, json_file=json_file))
    raise SystemExit(0 if passed else 1)


@click.command()
@click.option("--ephemeral", is_flag=True, help="Use a home of its own, gone afterwards.")
@click.option(
    "--simulators", is_flag=True, help="Play the vendor of a channel named shopify as well."
)
def up(ephemeral: bool, simulators: bool) -> None:
    """Start the local stack, print its addresses and keep it up until Ctrl-C; the data stays in LOCKSTEP_HOME."""
    raise_on_sigterm()
    begun_s = time.monotonic()
    with sentences(), Stack(settings(), ephemeral=ephemeral) as stack:
        try:
            stack.up(simulators=("shopify",) if simulators else (), dashboard=True)
            click.echo(f"up after {time.monotonic() - begun_s:.1f} s; Ctrl-C ends it")
            for line in [*dashboard(stack), *addresses(stack)]:
                click.echo(line)
            wait_while_up(stack)
        except KeyboardInterrupt:
            click.echo("ending ...", err=True)


@click.command()
@click.option(
    "--rate",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 20),
    help="Orders a second that buyers place by themselves in both shops.",
)
@click.option("--seed", default=1, show_default=True, help="What buyers' dice follow from.")
def play(rate: float, seed: int) -> None:
    """Open a whole house with played shops on this machine and keep it up, to try things in, until Ctrl-C.

    It lives in LOCKSTEP_HOME, where other commands find it, and is gone afterwards; a house that is there already is
    not touched. Buy with `lockstep sim order`.
    """
    from console.demo.play import Wishes, run

    raise_on_sigterm()
    with sentences():
        try:
            run(settings(), Wishes(rate, seed))
        except KeyboardInterrupt:
            click.echo("ending; nothing of it stays", err=True)


def dashboard(stack: Stack) -> list[str]:
    """Start the dashboard; lines that say where it is, and the token that opens it."""
    from console.verbs import tokens
    from workers.wiring import Wiring, now

    stack.start_dashboard()
    with closing(Wiring(stack.settings)) as wiring:
        made = tokens.renew(
            wiring.engine, _NAMED, Role.ADMIN, by=user(), now=now(), random=secrets.token_bytes(BYTES),
            lasts=_OPEN_FOR,
        )  # fmt: skip
    return [
        f"dashboard   {stack.dashboard_url}  (the API under /api/v1)",
        f"  log in with {made.secret}  ({Role.ADMIN}, for a day)",
    ]


def addresses(stack: Stack) -> list[str]:
    """Where everything is, in lines; passwords too, since the stack made them up."""
    told = stack.settings
    lines = [
        f"relay       {stack.relay_url}  (POST /hooks/<kind>, POST /events)",
        f"Flower      {stack.flower_url}  user {told.flower_user}"
        f"  password {told.flower_password.get_secret_value()}",
        f"PostgreSQL  {told.database_url}",
        f"Valkey      {told.redis_url}",
    ]
    if told.relay_token.get_secret_value():
        lines.append(f"POST /events with Bearer {told.relay_token.get_secret_value()}")
    lines += [
        f"{one.name:<11} {one.base_url}  control plane {one.control_url}  Bearer {one.control_token}"
        for one in stack.simulators.values()
    ]
    lines.append(
        f"home        {stack.home}  (logs in logs/; LOCKSTEP_HOME={stack.home} lockstep ...)"
    )
    return lines


def wait_while_up(stack: Stack, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Wait for Ctrl-C; a process that comes back does not end the wait, one that does not is said once.

    meanwhile    what is done twice a second
    """
    said: set[str] = set()
    while True:
        time.sleep(0.5)
        meanwhile()
        for status in stack.supervisor.status():
            if status.state is State.STOPPED and status.name not in said:
                said.add(status.name)
                click.echo(
                    f"{status.name} has ended with code {status.exit_code}: {status.log}", err=True
                )
