"""An event loop in which time passes only while everybody waits: months in minutes.

Where nothing is left to do, its clock goes to the next moment for which something is
planned. Connections between servers and clients that both run in it are of memory, so
that what is under way is never outrun by time; nothing else can be connected to.

Everything that runs in it must be in this process: an answer from outside would come
when years have passed.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

_T = TypeVar("_T")
_RESOLUTION_S = 1e-6
Factory = Callable[[], asyncio.BaseProtocol]
_Address = tuple[str, int]


def run_in_simulated_time(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end, as `asyncio.run` does, in a loop of its own."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(work)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop that begins at second 0."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._listening: dict[_Address, _Server] = {}
        super().__init__(_NeverWaiting(self._pass))
        # asyncio takes a timer as due from a nanosecond before it on: after some months
        # in seconds, a float no longer tells that from the moment itself.
        self._clock_resolution = _RESOLUTION_S

    def time(self) -> float:
        """Seconds since the loop began."""
        return self._now_s

    # `Any` is what asyncio itself has there: a dozen options, of which none counts.
    async def create_server(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Listen on a host and port of this loop."""
        factory, host, port = args
        del options
        address = (str(host), int(port))
        if address in self._listening:
            raise OSError(f"{host}:{port} is taken")
        self._listening[address] = _Server(factory, address, self._listening)
        return self._listening[address]

    async def create_connection(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Connect to a host and port of this loop."""
        factory, *place = args
        host, port = place or (options["host"], options["port"])
        server = self._listening.get((str(host), int(port)))
        if server is None:
            raise ConnectionRefusedError(f"nobody listens on {host}:{port}")
        near, far = _End(self), _End(self)
        near.join(factory(), far)
        far.join(server.factory(), near)
        return near, near.get_protocol()

    def _pass(self, seconds: float) -> None:
        self._now_s += seconds


class _NeverWaiting(selectors.DefaultSelector):
    """Lets time pass instead of waiting."""

    def __init__(self, let_pass: Callable[[float], None]) -> None:
        super().__init__()
        self._let_pass = let_pass

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """Return nothing, later."""
        if timeout is None:
            raise RuntimeError("All wait for each other, and nothing is planned.")
        if timeout > 0:
            self._let_pass(timeout)
        return []


class _Server:
    """What listens; `sockets` tells its port, as that of a server does."""

    def __init__(
        self, factory: Factory, address: _Address, among: "dict[_Address, _Server]"
    ) -> None:
        self.factory, self._address, self._among = factory, address, among
        self.sockets = (self,)

    def getsockname(self) -> _Address:
        """Return host and port."""
        return self._address

    def close(self) -> None:
        """Take no more connections."""
        self._among.pop(self._address, None)

    async def wait_closed(self) -> None:
        """Return: nothing is waited for."""

    async def __aenter__(self) -> Self:
        """Listen already."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


class _End(asyncio.Transport):
    """One end of a connection; what is written arrives in the loop's next turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._is_closing = False
        self._is_told = False

    def join(self, protocol: asyncio.BaseProtocol, other: "_End") -> None:
        """Connect to the other end."""
        self._protocol, self._other = protocol, other
        protocol.connection_made(self)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return who reads here."""
        return self._protocol

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return nothing: there is no socket."""
        del name
        return default

    def is_closing(self) -> bool:
        """Whether it is closed, or soon."""
        return self._is_closing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send to the other end."""
        if not self._is_closing:
            self._loop.call_soon(self._other.hear, bytes(data))

    def get_write_buffer_size(self) -> int:
        """Return 0: all is sent at once."""
        return 0

    def hear(self, data: bytes) -> None:
        """Take what the other end sent."""
        protocol = self._protocol
        if not self._is_closing and isinstance(protocol, asyncio.Protocol):
            protocol.data_received(data)
        elif not self._is_closing:  # pymodbus' protocol has the method, not the class
            getattr(protocol, "data_received")(data)  # noqa: B009

    def close(self) -> None:
        """End the connection, after what was written."""
        if self._is_closing:
            return
        self._is_closing = True
        self._loop.call_soon(self._lost)
        self._loop.call_soon(self._other.end)

    def abort(self) -> None:
        """End the connection."""
        self.close()

    def end(self) -> None:
        """Take note that the other end closed."""
        self._is_closing = True
        self._lost()

    def _lost(self) -> None:
        if not self._is_told:
            self._is_told = True
            self._protocol.connection_lost(None)
