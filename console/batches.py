"""Many askers, few calls: what is asked for while a call is on its way goes with the next one.

Under little load a question is asked at once and alone. Under much load calls grow, as fast as questions come in, and
their number stays what the other side can answer. Nobody is given what was asked for before he asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key")
Found = TypeVar("Found")


class Batches(Generic[Key, Found]):
    """Questions of one event loop; a key that many wait for is asked for once."""

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
        self._waiting: dict[Key, asyncio.Future[Found]] = {}
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(self, key: Key) -> Found:
        """The answer for one key; raises what the call raised. Being cancelled takes it from nobody else."""
        answer = self._waiting.get(key)
        if answer is None:
            loop = asyncio.get_running_loop()
            answer = self._waiting[key] = loop.create_future()
            if self._running < self._at_once:
                self._running += 1
                task = loop.create_task(self._run())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(answer)

    async def _run(self) -> None:
        while self._waiting:
            taken = {key: self._waiting.pop(key) for key in list(self._waiting)[: self._most]}
            try:
                found = await self._ask(list(taken))
            except Exception as error:  # raised where it is waited for
                for answer in taken.values():
                    answer.set_exception(error)
            else:
                for key, answer in taken.items():
                    answer.set_result(found[key])
        # In the same step as the last look at what waits: who asks from now on starts another.
        self._running -= 1
