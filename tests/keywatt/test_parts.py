import os
import signal
import sys
import time

import psutil
import pytest

from keywatt.parts import Part, PartError, Supervisor

SLEEPS = "import time; time.sleep(600)"
SAYS_AND_DIES = "import sys; print('one'); print('no more paper.'); sys.exit(3)"


def part(name: str, program: str, *, ready: bool = True) -> Part:
    return Part(
        name=name, command=[sys.executable, "-c", program], is_ready=lambda: ready
    )


@pytest.fixture
def parts(tmp_path):
    with Supervisor(tmp_path, os.environ) as supervisor:
        yield supervisor


@pytest.fixture
def children():
    """Ask for our child processes, but for those of other tests' servers."""
    others = set(psutil.Process().children(recursive=True))

    def ours() -> list[psutil.Process]:
        now = psutil.Process().children(recursive=True)
        return [child for child in now if child not in others]

    return ours


def test_leaving_the_block_stops_every_part(tmp_path, children) -> None:
    with Supervisor(tmp_path, os.environ) as parts:
        parts.start(part("one", SLEEPS), part("two", SLEEPS))
        assert parts.names == ("one", "two")
        assert len(children()) == 2
    assert children() == []


def test_a_part_that_ends_is_named_with_its_last_word(parts, tmp_path) -> None:
    with pytest.raises(PartError) as said:
        parts.start(part("printer", SAYS_AND_DIES, ready=False))
    assert str(said.value) == (
        "The printer ended (exit code 3): no more paper; "
        f"its log is {tmp_path / 'printer.log'}."
    )


def test_a_part_that_is_killed_is_missed(parts, children) -> None:
    parts.start(part("one", SLEEPS), part("two", SLEEPS))
    children()[0].kill()
    with pytest.raises(PartError, match=r"The one ended \(SIGKILL\): it said nothing"):
        parts.watch(until=lambda: False)
    assert parts.names == ("two",)


def test_a_part_that_will_not_stop_is_killed(parts, monkeypatch, children) -> None:
    monkeypatch.setattr("keywatt.parts._STOP_WITHIN_S", 0.2)
    deaf = f"import signal; signal.signal({int(signal.SIGTERM)}, signal.SIG_IGN); "
    told = f"print('deaf', flush=True); {SLEEPS}"
    log = parts.log_of("mule")
    parts.start(
        Part(
            name="mule",
            command=[sys.executable, "-c", deaf + told],
            is_ready=lambda: log.read_text() == "deaf\n",
        )
    )
    began_s = time.monotonic()
    parts.stop()
    assert time.monotonic() - began_s < 5
    assert children() == []


def test_one_that_is_never_ready_is_not_waited_for_for_ever(parts, monkeypatch) -> None:
    monkeypatch.setattr("keywatt.parts._READY_WITHIN_S", 0.1)
    with pytest.raises(PartError, match="The snail was not ready within"):
        parts.start(part("snail", SLEEPS, ready=False))
