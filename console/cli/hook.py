"""`lockstep hook`: addresses outside that are told of halts and orders."""

from __future__ import annotations

import click

from console.cli.common import Failed, as_json, by, emit, house, tell
from console.cli.elsewhere import as_told, done, elsewhere, quoted, trying
from console.cli.token import checked
from console.verbs import hooks as verbs
from ledger.db import transaction
from workers.feed import hook_store
from workers.feed.hook_words import KINDS
from workers.wiring import now

_TABLE = ("name", "url", "kinds", "told_at", "due", "failed", "failing", "stopped_at", "error")
_name = click.argument("name", callback=checked)


@click.group()
def hook() -> None:
    """Addresses outside that are told: add, list, test, remove."""


@hook.command()
@_name
@click.option(
    "--url", required=True, help="Where it is told, such as https://erp.example.com/hooks."
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(list(KINDS)),
    help="What of; repeat it. All when absent.",
)
@by
@as_json
def add(name: str, url: str, kinds: tuple[str, ...], by: str, as_json: bool) -> None:
    """Tell an address from now on, signed after Standard Webhooks.

    Its secret is printed once and cannot be read again.
    """
    chosen = list(kinds or KINDS)
    made = done(
        "hook.add",
        "/hooks",
        {"name": name, "url": url, "kinds": chosen},
        lambda wiring: verbs.add(wiring, name, url, chosen, by=by),
    )
    if as_json:
        emit(made, as_json=True)
        return
    click.echo(made["secret"])
    click.echo(
        f"{name} is told of {', '.join(made['kinds'])}; keep the secret now, it is shown only once",
        err=True,
    )


@hook.command("list")
@as_json
def list_(as_json: bool) -> None:
    """Addresses that are told, and how each stands; never a secret."""
    if there := elsewhere():
        found = there.rows("/hooks")
    else:
        with house() as wiring, transaction(wiring.engine) as connection:
            found = as_told(hook_store.listed(connection))
    emit(found, as_json=as_json, table=_TABLE)


@hook.command()
@_name
@by
@as_json
def test(name: str, by: str, as_json: bool) -> None:
    """Tell an address something harmless at once. Exit code 3 when it does not take it.

    One that was stopped, because it said that it is gone, is told again once it takes this.
    """
    tried = done(
        "hook.test",
        f"/hooks/{quoted(name)}/test",
        {},
        lambda wiring: verbs.test(wiring, name, by=by),
    )
    words = f"{name} took {tried['message']}" if tried["told"] else tried["error"]
    tell(tried, words, as_json=as_json)
    if not tried["told"]:
        raise Failed(f"{name} did not take {tried['message']}", code=3)


@hook.command()
@_name
@trying
@by
@as_json
def remove(name: str, dry_run: bool, by: str, as_json: bool) -> None:
    """Tell an address nothing more; what waits for it is dropped."""
    gone = done(
        "hook.remove",
        f"/hooks/{quoted(name)}/remove",
        {},
        lambda wiring: verbs.remove(wiring.engine, name, by=by, now=now()),
        dry_run=dry_run,
    )
    tell(gone, f"{name} is told nothing more", as_json=as_json)
