"""Many askers, few calls: what is asked for while a call is on its way goes with the next one.

Under little load a question is asked at once and alone. Under much load calls grow, as fast as questions come in, and
their number stays what the other side can answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key")
Found = TypeVar("Found")


class Batches(Generic[Key, Found]):
    """Questions of one event loop, each key asked for once however many wait for it."""

    def __init__(
        self,
        ask: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Found]]],
        *,
        at_once: int,
        most: int,
    ) -> None:
        """What asks, and how.

        ask        answers every key it is given, or raises
        at_once    calls under way at the same time
        most       keys of one call
        """
        self._ask = ask
        self._at_once = at_once
        self._most = most
        self._asked: dict[Key, asyncio.Future[Found]] = {}
        self._waiting: list[Key] = []
        self._running: set[asyncio.Task[None]] = set()

    async def get(self, key: Key) -> Found:
        """The answer for one key; raises what the call raised. Being cancelled takes it from nobody else."""
        answer = self._asked.get(key)
        if answer is None:
            loop = asyncio.get_running_loop()
            answer = self._asked[key] = loop.create_future()
            self._waiting.append(key)
            if len(self._running) < self._at_once:
                task = loop.create_task(self._run())
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        return await asyncio.shield(answer)

    async def _run(self) -> None:
        while self._waiting:
            keys, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                found = await self._ask(keys)
            except Exception as error:  # raised where it is waited for
                for key in keys:
                    self._asked.pop(key).set_exception(error)
            else:
                for key in keys:
                    self._asked.pop(key).set_result(found[key])
