"""What a process was told, and what it may be told."""

from __future__ import annotations

from typing import Final

from pydantic import SecretStr

from workers.settings import Settings

_HEAD: Final = """# Settings

Everything is `LOCKSTEP_*` in the environment, read once when a process starts. Each has a default that runs on a
laptop; what a house of several hosts needs first is in [install.md](install.md). `lockstep config show` says what is in
force and whence it comes, `lockstep config check` what makes no sense. `make docs` makes this page from
`workers/settings.py`.

| setting | default | what it is |
| --- | --- | --- |
"""


def settings(said: Settings) -> list[dict[str, str]]:
    """Each setting: its variable, its value (masked where it is secret, or holds a password), and whence it is."""
    rows = []
    for name, field in type(said).model_fields.items():
        value = getattr(said, name)
        secret = isinstance(value, SecretStr)
        words = ("set" if value.get_secret_value() else "") if secret else str(value)
        rows.append(
            {
                "name": variable(name),
                "value": "••• set" if secret and words else _masked(words),
                "origin": "set" if name in said.model_fields_set else "default",
                "description": field.description or "",
            }
        )
    return rows


def variable(field: str) -> str:
    """How a setting is called in the environment."""
    return f"LOCKSTEP_{field.upper()}"


def page() -> str:
    """All settings there are, as a page of the documentation."""
    rows = [
        f"| `{variable(name)}` | {_default(field.default)} | {field.description} |\n"
        for name, field in Settings.model_fields.items()
    ]
    return _HEAD + "".join(rows)


def _default(value: object) -> str:
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    words = ",".join(map(str, plain)) if isinstance(plain, tuple) else str(plain or "")
    if isinstance(plain, bool | int | float):
        words = str(plain)
    return f"`{words}`" if words else "none"


def _masked(value: str) -> str:
    """An address without its password."""
    head, at, tail = value.rpartition("@")
    if not at or "://" not in head:
        return value
    scheme, _, user = head.partition("://")
    return f"{scheme}://{user.partition(':')[0]}:•••@{tail}"
