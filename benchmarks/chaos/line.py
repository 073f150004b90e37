"""A TCP line to the database that can be cut, also in the middle of a commit.

It runs in a thread of its own: what it serves are other processes.
"""

import asyncio
import contextlib
import threading
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

HOST = "127.0.0.1"
_CHUNK = 1 << 16
_COMMIT = b"COMMIT"


class Cut(Enum):
    """Where in a commit the line breaks."""

    BEFORE = "the server never hears of the commit"
    AFTER = "the server has committed, and cannot say so"


class CuttableLine:
    """Leads from a port of ours to the database's socket; a context manager."""

    def __init__(self, database_url: str) -> None:
        parts = conninfo_to_dict(database_url)
        name = f".s.PGSQL.{parts.get('port', 5432)}"
        self._socket = Path(str(parts["host"])) / name
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._armed: Cut | None = None
        self._hangs, self._of = False, b""
        self._let_go = asyncio.Event()
        self.cuts = 0
        """Commits in which it was cut."""
        self.port = 0
        self._url = database_url

    @property
    def url(self) -> str:
        """Connection string over this line."""
        return make_conninfo(self._url, host=HOST, port=self.port)

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        self.up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def up(self) -> None:
        """Take connections."""
        asyncio.run_coroutine_threadsafe(self._up(), self._loop).result()

    def down(self) -> None:
        """Break every connection, and take no new one."""
        asyncio.run_coroutine_threadsafe(self._down(), self._loop).result()

    def cut_at_next_commit(
        self, cut: Cut, *, hangs: bool = False, of: bytes = b""
    ) -> None:
        """Break the connection that commits next, or let it hang; others are let be.

        `of` stands in what the transaction sent before.
        """
        self._hangs, self._of = hangs, of
        self._armed = cut

    def let_go(self) -> None:
        """Close what hangs: whose it was may not be the one that was killed."""
        self._loop.call_soon_threadsafe(self._let_go.set)

    @property
    def is_armed(self) -> bool:
        """Whether the commit that was waited for has not come yet."""
        return self._armed is not None

    async def _up(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._begin, HOST, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # A task of ours: Python 3.11's streams complain of theirs being cancelled.
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            there, back = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(self, reader, writer, there, back)
        ways = (asyncio.create_task(pair.forth()), asyncio.create_task(pair.back()))
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in (writer, back):
                end.transport.abort()
            await asyncio.wait(ways)

    def strikes(self, said: bytes) -> Cut | None:
        """Say whether the line breaks at the commit of what a client said."""
        cut = self._armed
        if cut is None or self._of not in said:
            return None
        self._armed = None
        self.cuts += 1
        return cut

    async def end(self, client: asyncio.StreamReader) -> None:
        """Return when a connection that was cut is to be closed."""
        if self._hangs:
            self._let_go.clear()
            ends = [asyncio.create_task(_end_of(client))]
            ends.append(asyncio.create_task(self._let_go.wait()))
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for end in ends:
                    end.cancel()


async def _end_of(client: asyncio.StreamReader) -> bool:
    """Read on until a client hangs up."""
    while await client.read(_CHUNK):
        pass
    return True


class _Pair:
    """One connection: a client's end and the server's."""

    def __init__(
        self,
        line: CuttableLine,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        self._line = line
        self._client, self._to_client = client, to_client
        self._server, self._to_server = server, to_server
        self._is_muffled = False
        self._said = b""
        """By the client in this transaction, the last of it."""
        self._answered = asyncio.Event()

    async def forth(self) -> None:
        """Pass on what the client says, until the line breaks."""
        with contextlib.suppress(OSError):
            while chunk := await self._client.read(_CHUNK):
                cut = None
                self._said += chunk
                if _COMMIT in chunk:
                    cut = self._line.strikes(self._said)
                    self._said = b""
                self._said = self._said[-_CHUNK:]
                if cut is Cut.BEFORE:
                    await self._line.end(self._client)
                    return
                self._is_muffled = cut is Cut.AFTER
                self._to_server.write(chunk)
                await self._to_server.drain()
                if cut is Cut.AFTER:  # it has committed once it answers
                    await self._answered.wait()
                    await self._line.end(self._client)
                    return

    async def back(self) -> None:
        """Pass on what the server says, unless nobody is to hear it."""
        with contextlib.suppress(OSError):
            while chunk := await self._server.read(_CHUNK):
                if self._is_muffled:
                    self._answered.set()
                    continue
                self._to_client.write(chunk)
                await self._to_client.drain()
