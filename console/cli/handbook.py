"""Every command in one table, for docs/commands.md: what it does, who may, and from where. `make docs` writes it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from console.access.rights import VERBS
from console.cli import cli
from console.cli.places import why_local

_HEAD = """# Commands

Every command says more with `--help`, and most print JSON with `--json`. *From afar*: with `LOCKSTEP_URL` (an API's
address) and `LOCKSTEP_TOKEN` it asks that house and says the same, with the same exit code; who acts is the token then,
whatever `--by` says. What works beside the house only says why. *Try*: it has `--dry-run`, which does the whole thing
in one transaction, prints what comes of it, and takes it back. `make docs` makes this page from the code.

Exit codes: 0 done, or no difference; 1 error; 2 wrong usage; 3 differences found, or something is open; 4 some of it
failed; 5 refused by a guard.

| command | does | lowest role | try | from afar |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(_row(name, command) for name, command in sorted(_commands(cli, "")))


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def _row(name: str, command: click.Command) -> str:
    verb = VERBS.get(name.replace(" ", "."))
    tries = any("--dry-run" in option.opts for option in command.params)
    why = why_local(name)
    does = command.get_short_help_str(limit=300).replace("|", "\\|")
    cells = (
        f"`lockstep {name}`",
        does,
        verb.role.value if verb else "",
        "yes" if tries else "",
        "yes" if why is None else f"no: {why}",
    )
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    click.echo(page(), nl=False)
