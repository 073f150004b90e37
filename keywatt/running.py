"""Run a service until it is told to stop: signals, migrations, readiness."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine

from keywatt.settings import Settings
from storage.database import connect
from storage.migrate import migrate


def run_until_stopped(
    main: Callable[[asyncio.Event], Coroutine[None, None, None]],
) -> None:
    """Run a coroutine; SIGTERM and Ctrl-C set the event it is given."""

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await main(stop)

    asyncio.run(run())


async def cancelled_at(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Run work that ends only by being cancelled; what it raises comes out here."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


def migrated(settings: Settings) -> str:
    """Return the database's URL, once it has every migration."""
    url = settings.database()
    with connect(url) as conn:
        migrate(conn)
    return url
