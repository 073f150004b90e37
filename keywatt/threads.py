"""Blocking work beside an event loop."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread that does not outlive the program.

    `asyncio.to_thread` would make a stopping program wait for a channel that hangs.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def finish(set_it: Callable[[], None]) -> None:
        if not done.cancelled():
            set_it()

    def run() -> None:
        try:
            result = work()
        except BaseException as exc:  # noqa: BLE001 (handed to who waits)
            set_it = partial(done.set_exception, exc)
        else:
            set_it = partial(done.set_result, result)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(finish, set_it)

    threading.Thread(target=run, daemon=True).start()
    return await done
