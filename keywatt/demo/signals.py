"""Being told to stop: once it counts, after that we are stopping already."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """Somebody wants the demo to end. asyncio lets this kind through at once."""


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn the first Ctrl-C, SIGTERM or hang-up into `Stopped`; pass over the rest."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in _ENDS:
            signal.signal(number, signal.SIG_IGN)
        raise Stopped

    before = {number: signal.signal(number, stop) for number in _ENDS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
