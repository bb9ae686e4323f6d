"""Everything on this machine: the demo, the local stack, the vendors as simulators."""

from __future__ import annotations

import secrets
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import click

from console.access.secrets import BYTES
from console.access.types import Role
from console.cli.common import Failed, sentences, user
from console.local.layout import Played
from console.local.stack import Stack
from console.local.supervisor import State, raise_on_sigterm
from workers.settings import settings

_OPEN_FOR = timedelta(days=1)
_NAME = "[a-z][a-z0-9_-]{0,63}"


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
            stack.up(simulators=("shopify",) if simulators else ())
            click.echo(f"up after {time.monotonic() - begun_s:.1f} s; Ctrl-C ends it")
            for line in [*dashboard(stack), *addresses(stack)]:
                click.echo(line)
            wait_while_up(stack)
        except KeyboardInterrupt:
            click.echo("ending ...", err=True)


@click.group()
def sim() -> None:
    """Play the vendors."""


@sim.command("up")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(["shopify", "amazon", "square", "edi"]),
    help="Which vendors; Shopify if left out.",
)
@click.option(
    "--name", "names", multiple=True, help="An account of this name, or NAME=KIND; may be repeated."
)
@click.option(
    "--count",
    default=1,
    show_default=True,
    type=click.IntRange(1, 20),
    help="Accounts of each kind, when none are named.",
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port",
    default=0,
    type=click.IntRange(0, 65000),
    help="Port of the first account, the others follow; free ones if left out.",
)
@click.option("--seed", default=0, show_default=True, help="What tokens, ids and dice follow from.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line for scripts.")
@click.option(
    "--facts",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the JSON to this file when everything answers.",
)
def sim_up(
    kinds: tuple[str, ...],
    names: tuple[str, ...],
    count: int,
    host: str,
    port: int,
    seed: int,
    as_json: bool,
    facts: Path | None,
) -> None:
    """Serve accounts of vendors until Ctrl-C or SIGTERM, and print where they are and their secrets."""
    import re

    from console.demo import playing

    bare = [name.partition("=")[0] for name in names]
    if len(set(bare)) != len(bare) or not all(re.fullmatch(_NAME, name) for name in bare):
        raise Failed("names are different, and made of small letters, digits, - and _", code=2)
    try:
        wanted = playing.at_ports(playing.wanted(names, kinds, count), port)
    except ValueError as error:
        raise Failed(str(error), code=2) from None
    # Beside the facts, so that they go with a home that goes.
    mailboxes = facts.absolute().with_suffix(".mailboxes") if facts is not None else None
    try:
        players = playing.Players(wanted, host=host, seed=seed, mailboxes=mailboxes)
    except OSError as error:
        raise Failed(f"cannot listen: {error}") from None
    with players:
        end = playing.told_to_end()
        if facts is not None:
            playing.write_facts(facts, players.told)
        if as_json:
            click.echo(playing.as_json(players.told))
        else:
            for one in players.told.values():
                click.echo(f"{one.name}: {one.kind} {one.account} at {one.base_url}")
                for line in _secrets(one):
                    click.echo(line)
                click.echo(f"  control plane   {one.control_url}  Bearer {one.control_token}")
        end.wait()


def _secrets(one: Played) -> list[str]:
    """What a client of the account must know beside its address, in lines."""
    said = {"token": one.token, "webhook secret": one.webhook_secret}
    shown = {one.base_url, one.account, one.control_url, one.control_token, *said.values()}
    said |= {name: text for name, text in one.facts.items() if text not in shown}
    return [f"  {name:<14}  {text}" for name, text in said.items() if text]


def dashboard(stack: Stack) -> list[str]:
    """Start the dashboard; lines that say where it is, and the token that opens it."""
    from console.verbs import tokens
    from workers.wiring import Wiring, now

    stack.start_dashboard()
    named = f"local-{secrets.token_hex(3)}"
    with closing(Wiring(stack.settings)) as wiring:
        made = tokens.create(
            wiring.engine, named, Role.ADMIN, by=user(), now=now(), random=secrets.token_bytes(BYTES),
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


def wait_while_up(stack: Stack) -> None:
    """Wait for Ctrl-C; a process that comes back does not end the wait, one that does not is said once."""
    said: set[str] = set()
    while True:
        time.sleep(0.5)
        for status in stack.supervisor.status():
            if status.state is State.STOPPED and status.name not in said:
                said.add(status.name)
                click.echo(
                    f"{status.name} has ended with code {status.exit_code}: {status.log}", err=True
                )
