"""`keywatt probe` as a person calls it, against meters behind a real port."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from meters.candidates import turn
from meters.profile import PROFILES
from tests.collector.modbus.gateway import modbus_profile
from tests.collector.modbus.whole_meter import Answering, whole_meters
from tests.fix_broker import HOST, free_port
from tests.meters.meter_memory import MeterMemory, memory_of
from tests.meters.test_plausibility import PLANT

SDM630, EM340 = (
    modbus_profile(name) for name in ("eastron-sdm630", "carlo-gavazzi-em340")
)


@contextmanager
def served(meters: Mapping[int, Answering]) -> Iterator[str]:
    """Serve meters from a thread of their own; yields the port as one types it."""
    ready, stop, ports = threading.Event(), asyncio.Event(), []

    async def serve() -> None:
        async with whole_meters(meters) as port:
            ports.append((port, asyncio.get_running_loop()))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(20)
    port, loop = ports[0]
    try:
        yield str(port)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)


def test_what_answers_is_shown_with_its_reasons(keywatt, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    meters = {
        1: Answering(memory_of(SDM630, PLANT)),
        2: Answering(memory_of(EM340, PLANT)),
        3: Answering(MeterMemory(held={}), silent=True),
    }
    with served(meters) as port:
        said = keywatt(
            "probe", HOST, "--port", port, "--unit", "1..3", "--timeout", "0.4"
        )
    assert said.code == 0
    assert said.err == ""
    assert "eastron-sdm630" in said.out
    assert "carlo-gavazzi-em340" in said.out
    assert "1234.5 kWh" in said.out
    # Of the second best only what speaks against it.
    assert "- it does not say that its type is Eastron SDM72D-M V2" in said.out
    assert "+ it says of itself: model 341" in said.out
    assert "+ 1.84 + 1.832 + 1.848 kW are the total, 5.52 kW" in said.out
    assert f"No answer from {HOST}:{port} as unit 3." in said.out


def test_scripts_get_one_object(keywatt) -> None:
    with served({7: Answering(memory_of(EM340, PLANT))}) as port:
        said = keywatt("probe", HOST, "--port", port, "--unit", "7", "--json")
    assert (said.code, said.err) == (0, "")
    told = json.loads(said.out)
    (unit,) = told["units"]
    best = unit["fits"][0]
    assert (told["bus"], unit["unit"]) == (f"{HOST}:{port}", 7)
    assert (best["profile"], best["told"]) == ("carlo-gavazzi-em340", {"model": 341})
    assert best["values"]["energy_import_kwh"] == 1234.5
    assert best["score"] == sum(reason["points"] for reason in best["reasons"])


def test_an_order_that_is_not_the_files_is_named(keywatt, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with served(
        {1: Answering(memory_of(turn(SDM630, ("word_order",)), PLANT))}
    ) as port:
        said = keywatt("probe", HOST, "--port", port)
    assert said.code == 1
    assert 'eastron-sdm630, but word_order = "little", byte_order = "big"' in said.out


def test_a_unit_that_no_profile_explains_is_told_with_what_comes_nearest(
    keywatt, monkeypatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    still = dict.fromkeys(PLANT, 0.0)
    meters = {
        1: Answering(memory_of(SDM630, still)),
        2: Answering(MeterMemory(held={})),
    }
    with served(meters) as port:
        said = keywatt("probe", HOST, "--port", port, "--unit", "1,2")
    assert said.code == 1
    assert "voltages are 0, 0, 0 V" in said.out
    assert "it answers exception 2 (illegal address)" in said.out


def test_only_the_named_profiles_are_asked(keywatt) -> None:
    one = Answering(memory_of(SDM630, PLANT))
    with served({1: one}) as port:
        said = keywatt(
            "probe", HOST, "--port", port, "--profile", "eastron-sdm630", "--json"
        )
    assert said.code == 0
    assert one.asked == [("input", 0, 80)]


def test_a_profile_that_explains_as_much_is_named_with_it(
    keywatt, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    ours = (PROFILES / "eastron-sdm630.toml").read_text("utf-8")
    mine = tmp_path / "mine.toml"
    mine.write_text(ours.replace('name = "eastron-sdm630"', 'name = "mine"'), "utf-8")
    profiles = ("--profile", "eastron-sdm630", "--profile", str(mine))
    with served({1: Answering(memory_of(SDM630, PLANT))}) as port:
        said = keywatt("probe", HOST, "--port", port, *profiles)
    assert said.code == 0
    assert "eastron-sdm630 (as well as mine)" in said.out
    assert "mine (as well as eastron-sdm630)" in said.out


def test_where_nothing_can_be_asked_it_is_one_sentence(keywatt) -> None:
    port = str(free_port())
    said = keywatt("probe", HOST, "--port", port, "--timeout", "0.2")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"There is no connection to {HOST}:{port}: see ")
    assert said.err.count("\n") == 1
    with served({1: Answering(MeterMemory(held={}), silent=True)}) as port:
        said = keywatt("probe", HOST, "--port", port, "--timeout", "0.1")
    assert (said.code, said.out) == (1, "")
    assert "nothing answers as unit 1: see the meter's address" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Give either a HOST or --serial DEVICE."),
        ([HOST, "--serial", "/dev/ttyS0"], "Give either a HOST or --serial DEVICE."),
        ([HOST, "--unit", "1-3"], "--unit takes ids such as 1, 1..10 or 1,3,5..7, not"),
        ([HOST, "--unit", "9..3"], "--unit: 9..3 is no range of ids from 0 to 247."),
        ([HOST, "--unit", "248"], "--unit: 248 is no range of ids from 0 to 247."),
        ([HOST, "--profile", "keywatt-json"], "keywatt-json is not read over Modbus."),
        ([HOST, "--profile", "abacus"], "There is no profile 'abacus'"),
        (["--serial", "/dev/x", "--parity", "mark"], "--parity is none, even or odd"),
    ],
)
def test_a_mistake_is_told_before_anything_is_asked(keywatt, arguments, said) -> None:
    answer = keywatt("probe", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_a_serial_line_that_is_not_there_is_one_sentence(keywatt) -> None:
    answer = keywatt("probe", "--serial", "/dev/nothing", "--timeout", "0.2")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("There is no connection to /dev/nothing: see ")
