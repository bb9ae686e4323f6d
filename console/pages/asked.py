"""What pages are asked with: forgiving where the API is strict, for people edit addresses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from console.pages.rendering import Renderer

_ROWS = 50


class Words(BaseModel):
    """The part of an address behind the question mark; what is not known is left alone."""

    model_config = ConfigDict(extra="ignore")

    q: str | None = Field(default=None, max_length=128)
    after: str | None = Field(default=None, max_length=1000)
    limit: int = Field(default=_ROWS, ge=1, le=500)
    channel: str | None = Field(default=None, max_length=128)
    sku: str | None = Field(default=None, max_length=128)
    location: str | None = Field(default=None, max_length=128)
    cause: str | None = Field(default=None, max_length=128)
    rule: str | None = Field(default=None, max_length=128)
    kind: str | None = Field(default=None, max_length=128)
    state: str | None = Field(default=None, max_length=128)
    source: str | None = Field(default=None, max_length=128)
    actor: str | None = Field(default=None, max_length=128)
    object: str | None = Field(default=None, max_length=300)
    verb: str | None = Field(default=None, max_length=128)
    outcome: str | None = Field(default=None, max_length=128)
    order: str | None = Field(default=None, max_length=128)
    until: str | None = Field(default=None, max_length=40)
    at: str | None = Field(default=None, max_length=40)
    hours: int = 24
    all: bool = False
    each: bool = False
    parked: bool = False
    due: bool = False
    trail: bool = False

    def meant(self, *names: str) -> dict[str, str | None]:
        """These words, without what was left empty."""
        return {name: getattr(self, name) or None for name in names}


def asked(request: Request) -> Words:
    """The words of a request; fields left empty in a form say nothing."""
    said = {
        name: value for name, value in request.query_params.items() if value and "\0" not in value
    }
    return Words.model_validate(said)


Asked = Annotated[Words, Depends(asked)]


def moment_of(said: str | None) -> datetime | None:
    """A moment that somebody wrote, in UTC unless it says otherwise; None: nothing that can be read."""
    if not said:
        return None
    try:
        found = datetime.fromisoformat(said.strip().removesuffix(" UTC"))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def renderer_of(request: Request) -> Renderer:
    """What the application renders with."""
    found: Renderer = request.app.state.renderer
    return found
