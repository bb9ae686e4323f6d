"""A task that raised, as a failure: its class by the tree of errors, and a name that the same mistake has again."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import orjson
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from channels.base import Refused, Throttled, Unauthorised, Unavailable, Unreadable
from channels.names import Unmapped
from ledger.types import Failure, FailureClass, Origin

_ROOT: Final = str(Path(__file__).resolve().parents[2])
#: What differs from window to window is no other mistake.
_PASSING: Final = ("window_at",)
#: What a relay hands over: its headers may prove who it is.
_NEVER_KEPT: Final = ("headers",)

_CLASSES: Final[tuple[tuple[tuple[type[BaseException], ...], str], ...]] = (
    ((Throttled,), FailureClass.THROTTLED_OUT),
    ((Unavailable, Unreadable, OperationalError, PoolTimeout, ConnectionError, TimeoutError), FailureClass.UNAVAILABLE),
    ((Refused, Unauthorised), FailureClass.REJECTED),
    ((Unmapped,), FailureClass.MAPPING),
    ((ValidationError,), FailureClass.VALIDATION),
)  # fmt: skip


def class_of(error: BaseException) -> str:
    """The class of failure of what a task raised."""
    return next((kind for types, kind in _CLASSES if isinstance(error, types)), FailureClass.BUG)


def failure_of(
    task: str,
    task_id: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    error: BaseException,
    trace: TracebackType | None,
) -> Failure:
    """What is written down of a task that raised and is not tried again by itself."""
    frames = traceback.extract_tb(trace)
    own = [frame for frame in frames if frame.filename.startswith(_ROOT)]
    where = next(reversed(own or frames), None)
    place = f"{Path(where.filename).name}:{where.name}" if where is not None else ""
    words = _words(error)
    given = {name: value for name, value in kwargs.items() if name not in _NEVER_KEPT}
    lasting = {name: value for name, value in given.items() if name not in _PASSING}
    said = orjson.dumps([list(args), lasting], default=str, option=orjson.OPT_SORT_KEYS)
    print_ = hashlib.sha256(f"{type(error).__name__}|{place}|".encode() + said).hexdigest()[:16]
    return Failure(
        Origin.TASK,
        f"{task}/{print_}",
        class_of(error),
        f"{type(error).__name__}: {words}",
        channel=str(kwargs.get("channel", "")),
        task=task,
        task_id=task_id,
        payload={"args": list(args), "kwargs": given},
        traceback="".join(traceback.format_list(frames)) + f"{type(error).__name__}: {words}",
    )


def _words(error: BaseException) -> str:
    """What an error says, without the parameters of a statement: those are data."""
    if isinstance(error, DBAPIError):
        return str(error.orig).split("\n", 1)[0]
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_input=False, include_context=False)
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found[:5])
    return str(error)[:2000]


class Seldom:
    """Whether something is asked again so soon that it need not be: a process's own memory, by name."""

    def __init__(self, every: timedelta) -> None:
        self._every = every
        self._asked: dict[tuple[str, str], datetime] = {}

    def again(self, name: tuple[str, str], now: datetime) -> bool:
        """True the first time, and when `every` has passed since the last True."""
        last = self._asked.get(name)
        if last is not None and now - last < self._every:
            return False
        self._asked[name] = now
        return True

    def forget(self, name: tuple[str, str]) -> None:
        """Let the next time be the first."""
        self._asked.pop(name, None)
