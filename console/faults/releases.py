"""The release before the newest migration, to be run beside this one: its source, from this repository's history."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

from console.local.layout import ROOT
from console.local.supervisor import Service

_MIGRATIONS: Final = "ledger/migrations/versions"
#: A service as a release runs it.
Ran: TypeAlias = Callable[[Service], Service]


def commit_before() -> str:
    """The last commit without the newest migration; "" where nothing of the history is here.

    A migration that is not committed yet is younger than all of it.
    """
    newest = max(each.name for each in (ROOT / _MIGRATIONS).glob("[0-9]*.py"))
    added = _git("log", "-1", "--format=%H", "--diff-filter=A", "--", f"{_MIGRATIONS}/{newest}")
    return _git("rev-parse", "--verify", "--quiet", f"{added}^" if added else "HEAD")


def schema_of(commit: str) -> str:
    """The newest schema version that a commit knows; "" when the history has no such commit."""
    names = _git("ls-tree", "--name-only", commit, f"{_MIGRATIONS}/").split()
    numbers = sorted(Path(name).name[:4] for name in names if Path(name).name[:4].isdecimal())
    return numbers[-1] if numbers else ""


def taken_out(commit: str, folder: Path) -> Path:
    """The source of a commit, in a folder of its own.

    raises    CalledProcessError when the history has no such commit
    """
    packed = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def run_from(source: Path) -> Ran:
    """Services whose code stands there: the folder that Python is started in comes before what is installed."""
    return lambda service: replace(
        service, cwd=source, env={**service.env, "PYTHONPATH": str(source)}
    )


def _git(*words: str) -> str:
    try:
        said = subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return said.stdout.strip() if said.returncode == 0 else ""
