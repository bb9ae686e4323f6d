"""Templates to pages: one environment, escaped everywhere, with the words that every page shares."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, unquote

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import Response

from console.access.rights import VERBS, may
from console.access.types import Role
from console.api.gate import Known
from console.pages import links, static_files, words
from console.views.plain import dumps

#: A sentence about what was just done, for the next page.
SAID: Final = "lockstep_said"
#: Name, address, and what else begins like it, in the order of the menu.
MENU: Final = (
    ("Now", "/"),
    ("SKUs", "/skus"),
    ("Drift", "/drift"),
    ("Halts", "/halts"),
    ("Pushes", "/pushes"),
    ("Reconciliation", "/runs"),
    ("Alerts", "/incidents"),
    ("Failed", "/failed"),
    ("Cases", "/cases"),
    ("Allocation", "/rules"),
    ("Stores", "/stores"),
    ("Reorder", "/reorder"),
    ("EDI", "/edi"),
    ("Amazon", "/amazon"),
    ("Review", "/review"),
    ("Operations", "/operations"),
    ("Audit", "/audit"),
    ("Settings", "/settings"),
)


class Renderer:
    """The templates of this house.

    env    its name, told on every page: nobody shall take one installation for another
    now    the clock
    """

    def __init__(self, env: str, now: Callable[[], datetime]) -> None:
        self._env, self._now = env, now
        self._templates = Environment(
            loader=PackageLoader("console.pages"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(words.FILTERS)
        self._templates.filters["json"] = lambda value: dumps(value, indent=1)
        self._templates.globals.update(
            links=links, static=static_files.address, menu=MENU, env_name=env, span=words.span
        )

    def compile(self) -> None:
        """Read every template now, not when it is first asked for."""
        for name in self._templates.list_templates(extensions=["html"]):
            self._templates.get_template(name)

    def answer(
        self, request: Request, template: str, *, status: int = 200, **context: Any
    ) -> Response:
        """A page, as who asks may see it."""
        known: Known | None = getattr(request.state, "known", None)
        now = self._now()
        html = self._templates.get_template(template).render(
            request=request,
            path=request.url.path,
            query=_Query(request.query_params),
            now=now,
            actor=None if known is None else known.actor,
            session=None if known is None else known.session,
            said=said_of(request),
            ago=lambda at: words.ago(at, now),
            may=lambda verb: _may(known, verb),
            **context,
        )
        answer = Response(html, status_code=status, media_type="text/html")
        if SAID in request.cookies and not request.headers.get("hx-request"):
            answer.delete_cookie(SAID, path="/")
        return answer


class _Query(dict[str, Any]):
    """What was asked; what was not is empty."""

    def __missing__(self, name: str) -> str:
        return ""


def _may(known: Known | None, verb: str) -> str:
    """Empty where they may; else why not, for the disabled control."""
    role = Role.VIEWER if known is None else known.actor.role
    if may(role, verb):
        return ""
    return f"for {VERBS[verb].role} and above; you are {role}"


def say(answer: Response, sentence: str, *, good: bool = True) -> Response:
    """Tell this on the next page."""
    said = quote(f"{'+' if good else '-'}{sentence}"[:900], safe="")
    answer.set_cookie(SAID, said, max_age=60, path="/", httponly=True, samesite="strict")
    return answer


def said_of(request: Request) -> tuple[bool, str] | None:
    """What the page before had to say; whether it is good news, and the sentence."""
    said = unquote(request.cookies.get(SAID, ""))
    return (said[0] == "+", said[1:]) if len(said) > 1 else None


def utc(moment: datetime) -> str:
    """A moment as people write it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
