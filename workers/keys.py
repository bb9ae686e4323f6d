"""Keys of this house that nobody has to think of: from the settings, or a file of the local profile made once."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr


def key_of(said: SecretStr, home: Path, name: str) -> bytes:
    """The key that is said, or the one kept in the home under this name."""
    if words := said.get_secret_value():
        return words.encode()
    file = home / name
    file.parent.mkdir(parents=True, exist_ok=True)
    _make_once(file)
    return file.read_bytes()


def _make_once(file: Path) -> None:
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "wb") as out:
        out.write(os.urandom(32).hex().encode())
