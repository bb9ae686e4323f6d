"""The book."""

from __future__ import annotations

import json
import sys

import click

from console.cli.acting import said_by
from console.cli.common import as_json, house, tell
from console.cli.elsewhere import done, trying
from console.verbs import ledger as verbs
from workers.wiring import now


@click.group()
def ledger() -> None:
    """The book: verify, seal."""


@ledger.command()
@as_json
def verify(as_json: bool) -> None:
    """Prove every balance and every seal; exit code 1 and the first bad row when something was changed."""
    from ledger import verify as proving

    with house() as wiring:
        proof = proving.verify(wiring.engine)
    if as_json:
        click.echo(json.dumps(proof.as_json(), indent=1))
    else:
        click.echo(
            f"{proof.events} events, {proof.postings} postings, {proof.balances} balances, {proof.seals} seals"
            f" ({proof.unsealed_events} events not sealed yet)"
        )
        for finding in proof.findings:
            click.echo(f"BAD {finding.check}: {finding.row} {finding.says}")
        if proof.clean:
            click.echo(
                f"clean; newest root {proof.newest_root or '(none)'}: keep a copy outside this database"
            )
    sys.exit(0 if proof.clean else 1)


@ledger.command()
@trying
@as_json
@said_by
def seal(dry_run: bool, as_json: bool) -> None:
    """Seal everything that is not sealed yet; workers do this once a minute."""
    told = done(
        "ledger.seal",
        "/ledger/seal",
        {},
        lambda wiring: verbs.seal(wiring.engine, now=now()),
        dry_run=dry_run,
    )
    tell(told, f"{told['seals']} new seals, root {told['root']}", as_json=as_json)
