import asyncio
import time

import pytest

from simulators.simulated_time import run_in_simulated_time


class Echo(asyncio.Protocol):
    """Answers a day later."""

    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(86_400, self.transport.write, data)


def test_a_year_passes_while_nobody_does_anything() -> None:
    async def run() -> float:
        await asyncio.gather(asyncio.sleep(60), asyncio.sleep(365 * 86_400))
        return asyncio.get_running_loop().time()

    begun_s = time.monotonic()
    assert run_in_simulated_time(run()) == pytest.approx(365 * 86_400)
    assert time.monotonic() - begun_s < 60  # it did not wait


def test_an_answer_takes_the_time_it_takes_and_a_time_out_comes_before_it() -> None:
    async def run() -> list[object]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "meter", 502)
        reader, writer = await asyncio.open_connection("meter", 502)
        writer.write(b"who")
        said: list[object] = []
        try:
            async with asyncio.timeout(2):
                await reader.readexactly(3)
        except TimeoutError:
            said.append(loop.time())
        said += [await reader.readexactly(3), loop.time()]
        writer.close()
        await writer.wait_closed()
        server.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("meter", 502)
        return said

    timed_out_s, answer, answered_s = run_in_simulated_time(run())
    assert (timed_out_s, answer, answered_s) == (2, b"who", 86_400)


def test_both_ends_hear_that_a_connection_is_closed() -> None:
    async def run() -> bytes:
        loop = asyncio.get_running_loop()
        lost = loop.create_future()

        class Hangs(asyncio.Protocol):
            def connection_made(self, transport) -> None:
                transport.write(b"bye")
                transport.close()

            def connection_lost(self, exc) -> None:
                lost.set_result(exc)

        await loop.create_server(Hangs, "meter", 502)
        reader, writer = await asyncio.open_connection("meter", 502)
        heard = await reader.read()  # up to the end
        assert await lost is None
        writer.close()
        await writer.wait_closed()
        return heard

    assert run_in_simulated_time(run()) == b"bye"


def test_a_deadlock_is_said_instead_of_waited_for() -> None:
    async def run() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="wait for each other"):
        run_in_simulated_time(run())
