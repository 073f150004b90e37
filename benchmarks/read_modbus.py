"""Complete meter reads a second, against bare pymodbus reading the same blocks.

The meter is a pymodbus server in a process of its own. A complete read asks all blocks
of the profile, decodes them and judges the reading; the bare client only asks. Rounds
alternate; the medians are compared.

    python -m benchmarks.read_modbus --json
"""

import argparse
import asyncio
import multiprocessing
import socket
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from benchmarks.modbus_meters import modbus_profile
from benchmarks.report import Result, report
from collector.modbus.bus import ModbusBus
from collector.modbus.poller import PolledMeter
from meters.blocks import plan_blocks
from meters.decode import encode_registers
from meters.meter import Meter, Transport
from meters.profile import ModbusProfile, profile_names
from meters.quantity import QUANTITIES

HOST, UNIT = "127.0.0.1", 1


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--profile", choices=profile_names(), default="eastron-sdm630")
    parser.add_argument("--reads", type=int, default=200, help="a round")
    parser.add_argument("--rounds", type=int, default=31)
    given = parser.parse_args()
    with closing(socket.socket()) as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=serve, args=(given.profile, port), daemon=True)
    server.start()
    try:
        wait_for(port)
        bare, ours = asyncio.run(measure(port, given))
    finally:
        server.terminate()
        server.join()
    report(
        Result(
            name="read_modbus",
            value=ours,
            unit="complete reads/s",
            baseline=bare,
            settings={
                "profile": given.profile,
                "reads": given.reads,
                "rounds": given.rounds,
                "baseline": "bare pymodbus reading the same blocks",
            },
            server=f"pymodbus {version('pymodbus')} in a process of its own",
            more={
                "requests_a_read": len(plan_blocks(modbus_profile(given.profile))),
                "requests_a_read_one_a_quantity": len(
                    modbus_profile(given.profile).registers
                ),
            },
        )
    )


def serve(name: str, port: int) -> None:
    """Be the meter, until killed."""
    asyncio.run(_serve(modbus_profile(name), port))


async def _serve(profile: ModbusProfile, port: int) -> None:
    blocks = plan_blocks(profile)
    first = min(block.address for block in blocks)
    last = max(block.address + block.count for block in blocks)
    values = {quantity: 230.0 + i for i, quantity in enumerate(QUANTITIES)}
    held = encode_registers(profile, values, datetime.now(UTC))
    words = [held.get(address, 0) for address in range(first, last)]
    registers = SimData(first, values=words, datatype=DataType.REGISTERS)
    device = SimDevice(UNIT, simdata=[registers])
    await ModbusTcpServer([device], address=(HOST, port)).serve_forever()


def wait_for(port: int) -> None:
    """Wait until the meter listens."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with closing(socket.socket()) as sock:
            if sock.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("The simulated meter does not listen.")


async def measure(port: int, given: argparse.Namespace) -> tuple[float, float]:
    """Return the medians of bare and complete reads a second."""
    profile = modbus_profile(given.profile)
    bus = ModbusBus.tcp(HOST, port)
    meter = Meter(
        meter_id=1,
        serial="KW-1",
        profile=profile.name,
        transport=Transport.MODBUS,
        host=HOST,
        port=port,
        unit=UNIT,
    )
    polled = PolledMeter.of(meter, profile, bus)
    blocks = plan_blocks(profile)
    client = AsyncModbusTcpClient(HOST, port=port)
    await client.connect()

    async def bare() -> None:
        for block in blocks:
            if block.function == "input":
                read = client.read_input_registers
            else:
                read = client.read_holding_registers
            await read(block.address, count=block.count, device_id=UNIT)

    async def ours() -> None:
        parcel = await polled.read(lambda: datetime.now(UTC))
        if not len(parcel.batch):
            raise RuntimeError(parcel.refusals[0].text)

    rates: dict[str, list[float]] = {"bare": [], "ours": []}
    both = [("bare", bare), ("ours", ours)]
    for number in range(given.rounds):
        for name, read in both if number % 2 else reversed(both):
            rates[name].append(await rate(read, given.reads))
            if not given.json:
                print(f"{name:5} {rates[name][-1]:8.0f} complete reads/s")
    client.close()
    bus.close()
    return statistics.median(rates["bare"]), statistics.median(rates["ours"])


async def rate(read: Callable[[], Awaitable[None]], reads: int) -> float:
    """Return how many reads a second run one after another."""
    begun = time.perf_counter()
    for _ in range(reads):
        await read()
    return reads / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
