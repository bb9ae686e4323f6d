"""Alarms."""

from __future__ import annotations

import click

from allocation import alarms
from console.cli.common import as_json, emit, house
from ledger.db import transaction


@click.group()
def alarm() -> None:
    """What somebody should look at."""


@alarm.command("list")
@click.option("--rule", default=None, help="Only alarms of this rule.")
@as_json
def list_(rule: str | None, as_json: bool) -> None:
    """Alarms that are on, oldest first. 3: there are some."""
    with house() as wiring, transaction(wiring.engine) as connection:
        found = alarms.open_alarms(connection, rule)
    if as_json:
        emit(found, as_json=True)
    else:
        emit(
            [{**_row(each), "detail": _said(each)} for each in found],
            as_json=False,
            table=("rule", "object", "since", "last_at", "detail"),
        )
    if found:
        raise SystemExit(3)


def _row(alarm: alarms.Alarm) -> dict[str, object]:
    return {name: getattr(alarm, name) for name in ("rule", "object", "since", "last_at")}


def _said(alarm: alarms.Alarm) -> str:
    return ", ".join(f"{name} {value}" for name, value in alarm.detail.items())
