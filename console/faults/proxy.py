"""A TCP proxy that is as bad as a network can be. It imports nothing of ours and knows nothing of what it carries.

    proxy = Proxy("127.0.0.1", 5432)
    ... connect to 127.0.0.1:proxy.port ...
    proxy.swallow()         # half-open: everything is accepted, nothing arrives
    proxy.pass_on()         # whole again; what had been swallowed is reset, as a peer does that knows nothing of it
    proxy.close()

One thread with an event loop of its own; every method may be called from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

_CHUNK_BYTES = 65_536
_CONNECT_S = 5.0
_CALL_S = 10.0
#: Closing with this sends RST instead of FIN.
_AT_ONCE = struct.pack("ii", 1, 0)


class Mode(StrEnum):
    """What becomes of bytes."""

    PASSES = "passes"
    CUT = "cut"
    SWALLOWS = "swallows"
    SLOW = "slow"
    RESETS = "resets"


@dataclass(eq=False)
class _Pair:
    """One connection: the client's side, the server's, and whether bytes of it are lost."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    gap: bool = False

    def end(self) -> None:
        """Both sides end at once, the client's with RST."""
        _reset(self.client)
        if self.server is not None:
            self.server.close()


class Proxy:
    """Carries connections from `port` on 127.0.0.1 to a server, well or badly.

    port    where clients connect
    """

    def __init__(self, host: str, port: int, *, seed: int = 0) -> None:
        """Listen at once.

        host, port    the server; it need not run yet
        seed          which answers are reset follows from it
        raises        OSError when no port is free
        """
        self._to = (host, port)
        self._dice = Random(seed)
        self._mode = Mode.PASSES
        self._per_s = 0.0
        self._share = 0.0
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._resets = 0
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(listener,), daemon=True)
        self._thread.start()

    @property
    def resets(self) -> int:
        """Answers that were not delivered, their connections reset instead."""
        return self._resets

    def pass_on(self) -> None:
        """Carry everything again. Connections of which bytes were lost are reset: they are of no use to anybody."""
        self._set(Mode.PASSES, lambda: self._end(lambda pair: pair.gap))

    def cut(self) -> None:
        """Close every connection, and each new one as soon as it is made."""
        self._set(Mode.CUT, lambda: self._end(lambda _: True))

    def swallow(self) -> None:
        """Half-open: connections are made and kept, and nothing that is sent arrives, in either direction."""
        self._set(Mode.SWALLOWS)

    def slow(self, bytes_per_s: float) -> None:
        """Carry so few bytes a second, per connection and direction."""
        self._per_s = bytes_per_s
        self._set(Mode.SLOW)

    def reset_answers(self, share: float) -> None:
        """Let what clients send arrive, and reset the connection instead of carrying this share of the answers."""
        self._share = share
        self._set(Mode.RESETS)

    def close(self) -> None:
        """End every connection and the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _set(self, mode: Mode, then: Callable[[], None] = lambda: None) -> None:
        done = threading.Event()

        def change() -> None:
            self._mode = mode
            then()
            done.set()

        self._loop.call_soon_threadsafe(change)
        if not done.wait(_CALL_S):
            raise RuntimeError("the proxy's thread does not answer: was it closed?")

    def _run(self, listener: socket.socket) -> None:
        asyncio.set_event_loop(self._loop)
        serving = self._loop.run_until_complete(asyncio.start_server(self._carry, sock=listener))
        self._loop.run_forever()
        serving.close()
        self._end(lambda _: True)
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def _end(self, which: Callable[[_Pair], bool]) -> None:
        for pair in [pair for pair in self._pairs if which(pair)]:
            self._pairs.discard(pair)
            pair.end()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = _Pair(writer)
        self._pairs.add(pair)
        try:
            if self._mode is Mode.CUT:
                return
            if self._mode is Mode.SWALLOWS:
                await self._drain(pair, reader)
                return
            async with asyncio.timeout(_CONNECT_S):
                back, pair.server = await asyncio.open_connection(*self._to)
            there = asyncio.ensure_future(self._pump(pair, reader, pair.server, answers=False))
            here = asyncio.ensure_future(self._pump(pair, back, writer, answers=True))
            await asyncio.wait((there, here), return_when=asyncio.FIRST_COMPLETED)
            for task in (there, here):
                task.cancel()
            await asyncio.gather(there, here, return_exceptions=True)
        except (OSError, TimeoutError):
            return
        finally:
            self._pairs.discard(pair)
            with contextlib.suppress(RuntimeError):
                pair.end()

    async def _drain(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        pair.gap = True
        while await reader.read(_CHUNK_BYTES):
            pass

    async def _pump(
        self,
        pair: _Pair,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        answers: bool,
    ) -> None:
        """Carry one direction until it ends. An end in good order is passed on as one."""
        while data := await reader.read(_CHUNK_BYTES):
            if pair.gap or self._mode is Mode.SWALLOWS:
                # Half of a conversation makes no sense to anybody: from the first lost byte on all of it is lost.
                pair.gap = True
                continue
            if answers and self._mode is Mode.RESETS and self._dice.random() < self._share:
                self._resets += 1
                return
            if self._mode is Mode.SLOW:
                await self._trickle(data, writer)
            else:
                writer.write(data)
                await writer.drain()
        if pair.gap:
            # Nobody hears of an end either.
            await asyncio.Event().wait()
        writer.close()
        await asyncio.sleep(0)

    async def _trickle(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        step = max(1, round(self._per_s / 10))
        for begin in range(0, len(data), step):
            if self._mode is not Mode.SLOW:
                writer.write(data[begin:])
                break
            writer.write(data[begin : begin + step])
            await writer.drain()
            await asyncio.sleep(step / self._per_s)
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    if writer.is_closing():
        return
    made = writer.get_extra_info("socket")
    if made is not None:
        with contextlib.suppress(OSError):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    writer.transport.abort()
