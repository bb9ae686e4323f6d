"""Alarms: another way to say `alert list --alarms`."""

from __future__ import annotations

import click

from console.cli.alert import list_alarms
from console.cli.common import as_json


@click.group()
def alarm() -> None:
    """What somebody should look at, one by one."""


@alarm.command("list")
@click.option("--rule", default=None, help="Only alarms of this rule.")
@as_json
def list_(rule: str | None, as_json: bool) -> None:
    """Alarms that are on, oldest first. 3: there are some."""
    list_alarms(rule, as_json=as_json)
