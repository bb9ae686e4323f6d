"""The vendors, played: their accounts on this machine, and buyers in them."""

from __future__ import annotations

from pathlib import Path

import click

from console.cli.common import Failed, as_json, house, sentences
from console.local.layout import Played
from console.local.stack import dashboard_of, played_in

_NAME = "[a-z][a-z0-9_-]{0,63}"


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
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
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


@sim.command("order")
@click.argument("sku")
@click.option(
    "--units", default=1, show_default=True, type=click.IntRange(1, 10_000), help="How many."
)
@click.option("--at", "account", default="shopify", show_default=True, help="The played account.")
@click.option("--location", help="Which of a merchant's tills; the first if left out.")
@click.option(
    "--for",
    "limit_s",
    default=60.0,
    show_default=True,
    type=click.FloatRange(1, 600),
    help="Seconds that it is followed at most.",
)
@as_json
def sim_order(
    sku: str, units: int, account: str, location: str | None, limit_s: float, as_json: bool
) -> None:
    """Buy SKU in a played account, and follow the order until every channel shows what is left.

    Exit code 0: every channel shows it; 1: not within the time, or not booked.
    """
    from console.demo import travel
    from console.demo.shop import ShopSays
    from console.views.plain import dumps

    with house() as wiring, sentences():
        dashboard, played = (
            dashboard_of(wiring.settings.home),
            _account(wiring.settings.home, account),
        )
        try:
            bought = travel.buy(played, sku, units, location)
        except ShopSays as refusal:
            raise Failed(f"{account} does not sell that: {refusal}") from None
        say = _silent if as_json else click.echo
        say(f"{account} took order {bought.name}: {units} x {sku}")
        steps = []
        for step in travel.follow(wiring.engine, bought, limit_s=limit_s):
            steps.append(step)
            say(f"  {step.after_s:6.2f} s  {step.stage:<9}  {step.said}")
    arrived = bool(steps) and steps[-1].stage == travel.ARRIVED
    pages = travel.pages(bought, dashboard)
    for what, url in pages.items():
        say(f"{what}: {url}")
    if as_json:
        click.echo(dumps({"order": bought, "steps": steps, "arrived": arrived, "pages": pages}))
    if not arrived:
        raise Failed(
            f"not everywhere within {limit_s:g} s: `lockstep inbox list` and `lockstep push parked` say what waits"
        )


def _silent(_line: str) -> None:
    """JSON speaks for itself."""


def _account(home: Path, name: str) -> Played:
    played = played_in(home)
    if name not in played:
        known = ", ".join(sorted(played)) or "none"
        raise Failed(
            f"no account {name!r} is played here; there are {known}: `lockstep play` opens a house with some"
        )
    return played[name]
