"""What a measurement came to, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click


def tell(
    result: dict[str, Any],
    table: Callable[[dict[str, Any], Callable[[str], None]], None],
    as_json: bool,
) -> None:
    """Print what was measured; exit code 3 when goals were missed."""
    if as_json:
        click.echo(json.dumps(result, indent=1))
    else:
        table(result, click.echo)
        click.echo("goals reached" if result["passed"] else "goals missed")
    if not result["passed"]:
        raise SystemExit(3)
