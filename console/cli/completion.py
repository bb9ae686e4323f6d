"""`lockstep completion`: what a shell must be told to complete our commands, options and choices."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_WHERE = {
    "bash": "lockstep completion bash > ~/.local/share/bash-completion/completions/lockstep",
    "zsh": "lockstep completion zsh > ~/.zfunc/_lockstep   (with fpath+=~/.zfunc before compinit)",
    "fish": "lockstep completion fish > ~/.config/fish/completions/lockstep.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(list(_WHERE)))
def completion(shell: str) -> None:
    """Print the script that completes commands, options and choices in SHELL; where to put it is said on stderr."""
    kind = get_completion_class(shell)
    root = click.get_current_context().find_root().command
    assert kind is not None
    click.echo(kind(root, {}, "lockstep", "_LOCKSTEP_COMPLETE").source())
    click.echo(f"keep it: {_WHERE[shell]}", err=True)
