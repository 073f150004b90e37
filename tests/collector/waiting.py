"""Wait for what happens, not for time to pass."""

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110 - it is others who bring it about
            await asyncio.sleep(0.005)
