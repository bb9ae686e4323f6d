"""Settings: what is in force, what makes no sense, what there is."""

from __future__ import annotations

import difflib
import json

import click

from console.cli.common import Failed, as_json, emit, sentences
from console.local.errors import LocalError
from console.local.stack import attached
from console.views import told
from workers.settings import Settings, settings, unknown


@click.group()
def config() -> None:
    """Settings: show, check, schema."""


@config.command("show")
@click.option(
    "--origin", is_flag=True, help="Only what was set, here or by the running local stack."
)
@as_json
def show(origin: bool, as_json: bool) -> None:
    """What is in force, secrets masked: set in the environment, told by the local stack that runs, or default."""
    with sentences():
        mine = settings()
    rows = told.settings(mine)
    try:
        stack = {row["name"]: row["value"] for row in told.settings(attached(mine))}
    except LocalError:
        stack = {}
    for row in rows:
        if stack.get(row["name"], row["value"]) != row["value"]:
            row["value"], row["origin"] = stack[row["name"]], "local stack"
    shown = [row for row in rows if not origin or row["origin"] != "default"]
    emit(shown, as_json=as_json, table=("name", "value", "origin"))


@config.command("check")
def check() -> None:
    """Whether the settings make sense; exit code 1 names each that does not, and names that are no setting."""
    with sentences():
        settings()
    names = [told.variable(field) for field in Settings.model_fields]
    strangers = unknown()
    for name in strangers:
        near = difflib.get_close_matches(name, names, n=1)
        click.echo(f"{name} is no setting{f': {near[0]}?' if near else ''}", err=True)
    if strangers:
        raise Failed(f"{len(strangers)} names in the environment are no settings")
    click.echo("every setting makes sense")


@config.command("schema")
@as_json
def schema(as_json: bool) -> None:
    """All settings there are: the page of the documentation, or JSON Schema."""
    words = json.dumps(Settings.model_json_schema(), indent=1) + "\n" if as_json else told.page()
    click.echo(words, nl=False)
