"""One Modbus TCP bus: the only file that imports pymodbus' client.

A bus is one TCP connection to a meter or to a gateway with several units behind it.
Requests on it run one at a time. After a request that was given up (time-out or
cancellation) the connection is closed, so that its late answer has no way to be taken
for the next one's.

Errors
------
MeterError
    The meter could not be read this time: no answer, or not the one asked for.
"""

import asyncio
import logging

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from meters.blocks import Block

# pymodbus logs every failure itself, as an error, each time. We raise all of them, and
# the poller says them once.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


_FUNCTION_CODE = {"input": 4, "holding": 3}


class MeterError(Exception):
    """The meter could not be read this time."""


class ModbusBus:
    """One connection, one request at a time; opened when needed, also again."""

    def __init__(self, host: str, port: int, *, timeout_s: float = 2.0) -> None:
        self.address = f"{host}:{port}"
        self._host, self._port, self.timeout_s = host, port, timeout_s
        self._client: AsyncModbusTcpClient | None = None
        self._turn = asyncio.Lock()
        self._unreachable_since: float | None = None

    async def read_block(self, unit: int, block: Block) -> list[int]:
        """Read one block of registers of one unit.

        Returns
        -------
        list of int
            `block.count` words of 16 bits.

        Raises
        ------
        MeterError
            Naming host, port, unit and block.

        """
        asked_at = asyncio.get_running_loop().time()
        async with self._turn:
            client = self._client
            if client is None or not client.connected:
                client = await self._connect(unit, asked_at)
            try:
                answer = await _ask(client, unit, block)
            except ModbusException as exc:
                self.close()
                raise self._error(unit, block, "no answer") from exc
            except BaseException:  # above all a cancellation: its answer may yet come
                self.close()
                raise
        if answer.isError():
            raise self._error(unit, block, _exception_name(answer))
        if answer.function_code != _FUNCTION_CODE[block.function]:
            self.close()
            text = f"an answer of function {answer.function_code}"
            raise self._error(unit, block, text)
        if len(answer.registers) != block.count:
            self.close()
            text = f"an answer of {len(answer.registers)} registers"
            raise self._error(unit, block, text)
        return list(answer.registers)

    def close(self) -> None:
        """Close the connection; the next read opens another."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _connect(self, unit: int, asked_at: float) -> AsyncModbusTcpClient:
        """Open a connection, unless that failed while this request waited."""
        self.close()
        failed_at = self._unreachable_since
        if failed_at is None or failed_at < asked_at:
            # A new client each time: whatever an old connection still brings cannot
            # reach it. Retries and reconnecting are off: the next poll is the retry.
            client = AsyncModbusTcpClient(
                self._host,
                port=self._port,
                timeout=self.timeout_s,
                retries=0,
                reconnect_delay=0,
            )
            try:
                is_open = await client.connect()
            # No host or port at all: `a..b`, a label over 63 letters (UnicodeError is
            # a ValueError), a NUL, a port over 65535.
            except (OSError, ValueError, OverflowError):
                is_open = False
            except BaseException:  # above all a cancellation
                client.close()
                raise
            if is_open:
                self._client, self._unreachable_since = client, None
                return client
            self._unreachable_since = asyncio.get_running_loop().time()
        raise MeterError(f"{self.address}/{unit}: no connection to {self.address}")

    def _error(self, unit: int, block: Block, text: str) -> MeterError:
        return MeterError(
            f"{self.address}/{unit}: {text} to reading {block.count} {block.function} "
            f"registers from {block.address}"
        )


async def _ask(client: AsyncModbusTcpClient, unit: int, block: Block) -> ModbusPDU:
    read = (
        client.read_input_registers
        if block.function == "input"
        else client.read_holding_registers
    )
    return await read(block.address, count=block.count, device_id=unit)


def _exception_name(answer: ModbusPDU) -> str:
    """Name a Modbus exception answer, such as `exception 2 (illegal address)`."""
    try:
        name = ExcCodes(answer.exception_code).name
    except ValueError:
        name = "unknown"
    return f"exception {answer.exception_code} ({name.lower().replace('_', ' ')})"
