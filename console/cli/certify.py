"""The go-live test of a channel, and its certificate."""

from __future__ import annotations

import time
from functools import partial
from uuid import uuid4

import click

from channels import bindings
from console.cli.acting import acting
from console.cli.common import Failed, as_json, by, emit
from console.cli.elsewhere import asked, quoted
from console.views.channels import certificate_of
from ledger.db import transaction
from workers.flows import certificate as certificates
from workers.flows import certify as certifying
from workers.keys import key_of
from workers.wiring import NotSetUp, Wiring, now


@click.command()
@click.argument("name")
@click.option(
    "--approve",
    "approved",
    default="",
    help="The differences seen, by the name that the run without this option printed.",
)
@click.option(
    "--events",
    default=100,
    show_default=True,
    type=click.IntRange(10, 10_000),
    help="How many to try it with.",
)
@click.option("--wait-s", default=20.0, show_default=True, help="Longest wait for one number.")
@by
@as_json
def certify(name: str, approved: str, events: int, wait_s: float, by: str, as_json: bool) -> None:
    """Try a channel before it goes live.

    The first run reads only and shows what the first numbers would change; it exits with 3. Run it again with
    --approve and the name it printed: now it writes, compares, and signs a certificate. Until one has passed, nothing
    is sent to the channel. Exit code 0 passed, 4 not passed.
    """
    with acting("channel.certify", dry_run=not approved) as wiring:
        certificate = _certificate(wiring, name, approved, events, wait_s, by)
    if as_json:
        emit(certificate, as_json=True)
    else:
        _tell(certificate)
    if not certificate["approved_by"]:
        raise SystemExit(3 if certificate["readable"] else 4)
    if not certificate["passed"]:
        raise SystemExit(4)


@click.command()
@click.argument("name")
@as_json
def certificate(name: str, as_json: bool) -> None:
    """The newest certificate of a channel, and whether its signature is ours. Exit code 1 when it is not."""
    told = asked(
        f"/channels/{quoted(name)}/certificate",
        lambda wiring, book: certificate_of(book, name, _key(wiring)),
    )
    if as_json:
        emit(told, as_json=True)
    else:
        _tell(told)
    if not told["genuine"]:
        raise Failed(
            f"the signature is not of this house: certify {name} again, or bring back the key"
        )


def _certificate(
    wiring: Wiring, name: str, approved: str, events: int, wait_s: float, by: str
) -> dict[str, object]:
    with transaction(wiring.engine) as connection:
        if not bindings.kinds(connection, [name]):
            raise Failed(f"no channel {name!r}: see `lockstep channel list`")
    try:
        client = wiring.client(name)
    except NotSetUp as missing:
        raise Failed(str(missing)) from None
    bench = certifying.Bench(
        engine=wiring.engine,
        client=client,
        channel=name,
        now=now,
        wait=time.sleep,
        new_key=lambda: str(uuid4()),
        events=events,
        wait_s=wait_s,
        progress=partial(_progress, events),
    )
    read = certifying.read_only(bench)
    if not read.readable or not approved:
        return read.report()
    if approved != read.digest:
        raise Failed(
            f"the differences are {read.digest} now, not {approved}: look at them once more,"
            f" then --approve {read.digest}",
            code=5,
        )
    written = certifying.write(bench, read, by=by)
    with transaction(wiring.engine) as connection:
        signature = certificates.keep(connection, written, _key(wiring))
    return written.report() | {"signature": signature}


def _progress(events: int, done: int) -> None:
    """A vendor that takes its time must not look like one that hangs."""
    click.echo(f"{min(done, events)} of {events} events", err=True)


def _key(wiring: Wiring) -> bytes:
    """The key of this house."""
    return key_of(wiring.settings.certificate_key, wiring.settings.home, "certificate.key")


def _tell(said: dict[str, object]) -> None:
    click.echo(f"{said['channel']} ({said['kind']}, {said['account']})")
    tried = said["tried"]
    assert isinstance(tried, list)
    for each in tried:
        click.echo(f"  {'ok  ' if each['passed'] else 'FAIL'} {each['name']}: {each['detail']}")
    differences = said["differences"]
    assert isinstance(differences, list)
    if not said["approved_by"]:
        for each in differences[:20]:
            click.echo(f"  {each['sku']} at {each['location']}: {each['now']} -> {each['then']}")
        more = int(str(said["differences_in_all"])) - 20
        if more > 0:
            click.echo(f"  and {more} more")
        if said["readable"]:
            click.echo(
                f"nothing was changed; to go on: lockstep channel certify {said['channel']}"
                f" --approve {said['digest']} --by NAME"
            )
        return
    click.echo(
        f"{'PASSED' if said['passed'] else 'NOT PASSED'}: {said['events']} events, {said['failed']} wrong;"
        f" approved by {said['approved_by']}; signature {said.get('signature', '')}"
    )
