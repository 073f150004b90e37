"""A connection to meters: the only file that imports pymodbus' client.

pymodbus opens it and frames the requests. What comes back is taken before pymodbus sees
it (`frames` says why).

Errors
------
ConnectionLostError
    It was closed, by the other side or by us.
"""

import logging
from collections.abc import Callable
from typing import Literal

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerType
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
)

from collector.modbus.frames import WRITE, Request
from meters.meter import BusAddress, Framing

# pymodbus logs every failure itself, as an error, each time. We raise all of them, and
# the poller says them once.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)

_PDU: dict[int, type[ModbusPDU]] = {
    3: ReadHoldingRegistersRequest,
    4: ReadInputRegistersRequest,
    WRITE: WriteMultipleRegistersRequest,
}
_PARITY: dict[str, Literal["N", "E", "O"]] = {"none": "N", "even": "E", "odd": "O"}
_CHUNK = 1 << 20
"""More than any read brings, so that pymodbus drops nothing unseen."""


class ConnectionLostError(Exception):
    """It was closed, by the other side or by us."""


class Connection:
    """A TCP connection or a serial port; opened when needed, also again."""

    def __init__(
        self,
        address: BusAddress,
        on_heard: Callable[[bytes], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._address, self._on_heard, self._on_lost = address, on_heard, on_lost
        self._client: AsyncModbusTcpClient | AsyncModbusSerialClient | None = None
        self.sent = b""
        """The frame of the last request."""

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent without opening it."""
        return self._client is not None and self._client.connected

    async def open(self, timeout_s: float) -> bool:
        """Open it; False where nobody answers there."""
        self.close()
        try:
            client = self._new_client(timeout_s)
        # No host or port at all: a NUL, a port over 65535.
        except (ValueError, OverflowError):
            return False
        client.ctx.max_buffer_size = _CHUNK
        try:
            is_open = await client.connect()
        except (OSError, ValueError, OverflowError):  # `a..b`, a label over 63 letters
            is_open = False
        except BaseException:  # above all a cancellation
            client.close()
            raise
        if is_open:
            self._client = client
        return is_open

    def close(self) -> None:
        """Close it; what an open serial port has heard is forgotten."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def send(self, request: Request) -> None:
        """Send a request; `on_heard` is told all that comes from then on."""
        if self._client is None:
            raise ConnectionLostError
        pdu = _PDU[request.function](
            dev_id=request.unit,
            address=request.address,
            count=request.count,
            registers=list(request.words),
        )
        try:
            # Not to be waited for by pymodbus: it would see no answer.
            await self._client.execute(True, pdu)
        except ModbusException as exc:
            raise ConnectionLostError from exc

    def forget(self) -> None:
        """Forget what was heard: `on_heard` is told all since the last request."""
        if self._client is not None:
            self._client.ctx.recv_buffer = b""

    def _new_client(
        self, timeout_s: float
    ) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        # A new client each time: whatever an old connection still brings cannot reach
        # it. Retries and reconnecting are off: the next poll is the retry.
        address = self._address
        if address.framing is Framing.SERIAL:
            return AsyncModbusSerialClient(
                address.device or "",
                baudrate=address.baud_rate,
                parity=_PARITY[address.parity],
                stopbits=address.stop_bits,
                timeout=timeout_s,
                retries=0,
                reconnect_delay=0,
                trace_packet=self._seen,
                trace_connect=self._connection_is,
            )
        is_tcp = address.framing is Framing.TCP
        return AsyncModbusTcpClient(
            address.host or "",
            port=address.port or 0,
            framer=FramerType.SOCKET if is_tcp else FramerType.RTU,
            timeout=timeout_s,
            retries=0,
            reconnect_delay=0,
            trace_packet=self._seen,
            trace_connect=self._connection_is,
        )

    def _seen(self, is_sending: bool, data: bytes) -> bytes:  # noqa: FBT001 - as pymodbus calls it
        """Keep what goes out, and take what comes in."""
        if is_sending:
            self.sent = data
            return data
        self._on_heard(data)
        return b""

    def _connection_is(self, is_open: bool) -> None:  # noqa: FBT001 - as pymodbus calls it
        if not is_open:
            self._on_lost()
