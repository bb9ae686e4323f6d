"""Forms about addresses outside that are told."""

from __future__ import annotations

from typing import Any, Final

from console.api.feed import Dismissal, HookAdd
from console.api.state import Act
from console.api.words import Name
from console.api.words import Said as Words
from console.pages.sheets import WHY, Came, Field, Sheet
from console.review.suggestions import KINDS as KINDS_OF_SUGGESTION
from console.verbs import hooks, suggestions
from workers.feed.hook_words import KINDS


class HookNamed(Words):
    """An address by its name."""

    name: Name


def _add(act: Act, said: HookAdd) -> Came:
    with act.doing(said.arguments()):
        done = hooks.add(act.house.wiring, said.name, said.url, list(said.kinds), by=act.by)
    return Came(f"{done['name']} is told of {', '.join(done['kinds'])}", secret=done["secret"])


def _remove(act: Act, said: HookNamed) -> Came:
    with act.doing({"name": said.name}):
        hooks.remove(act.engine, said.name, by=act.by, now=act.now())
    return Came(f"{said.name} is told nothing more")


def _test(act: Act, said: HookNamed) -> Came:
    with act.doing({"name": said.name}):
        done = hooks.test(act.house.wiring, said.name, by=act.by)
    if done["told"]:
        return Came(f"{said.name} took {done['message']}")
    return Came(f"{said.name} did not take {done['message']}: {done['error']}")


def _dismiss(act: Act, said: Dismissal) -> Came:
    with act.doing({"kind": said.kind, "name": said.name}, reason=said.reason):
        suggestions.dismiss(
            act.engine, said.kind, said.name, reason=said.reason, by=act.by, now=act.now()
        )
    return Came(f"{said.kind} of {said.name} is dismissed")


_NAME: Final = Field("name", "Name", required=True)

SHEETS: Final[tuple[Sheet[Any], ...]] = (
    Sheet("hook.add", "Tell an address outside", HookAdd,
          (_NAME, Field("url", "Address", required=True, hint="such as https://erp.example.com/hooks"),
           Field("kinds", "Of what", "list", required=True, hint=f"some of {', '.join(KINDS)}")),
          _add, "/settings", "Its secret is shown once, behind this form.", hands_out=True),
    Sheet("hook.remove", "Tell an address nothing more", HookNamed, (_NAME,), _remove, "/settings",
          "What waits for it is dropped.", lambda _: True),
    Sheet("hook.test", "Try an address", HookNamed, (_NAME,), _test, "/settings",
          "It is told something harmless at once."),
    Sheet("review.dismiss", "Dismiss a suggestion", Dismissal,
          (Field("kind", "Kind", "choice", required=True, choices=tuple(KINDS_OF_SUGGESTION)),
           Field("name", "Of what", required=True, hint="as the review names it, such as MUG@WH"), WHY),
          _dismiss, "/review", "It holds until the suggestion has gone; when it comes anew it counts anew."),
)  # fmt: skip
