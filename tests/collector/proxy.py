"""A TCP proxy before the database's socket, which cuts the line on demand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.fix_broker import HOST


class Line:
    """A line that can be down."""

    def __init__(self, url: str) -> None:
        parts = conninfo_to_dict(url)
        self._socket = Path(str(parts["host"])) / f".s.PGSQL.{parts.get('port', 5432)}"
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.url = url

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = make_conninfo(self.url, host=HOST, port=self.port)

    async def down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks.clear()

    async def _serve(self, reader, writer) -> None:
        self._tasks.add(asyncio.current_task())
        there, back = await asyncio.open_unix_connection(str(self._socket))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, back))
                group.create_task(self._pass_on(there, writer))
        finally:
            for end in (writer, back):
                end.close()

    async def _pass_on(self, reader, writer) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
            writer.write_eof()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    """Put a line between the test and its database; `line.url` leads over it."""
    line = Line(url)
    await line.up()
    try:
        yield line
    finally:
        await line.down()
