"""The demo as a person runs it: real processes, stopped in every way there is."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.demo_runner import Demo, running
from tests.support import missing

pytestmark = pytest.mark.slow
GONE_WITHIN_S = 60.0
FAST = ("--headless", "--speed", "60", "--days", "1", "--json")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One demo's folder for all tests here, in a place its database may enter."""
    made = Path(tempfile.mkdtemp(prefix="keywatt-test-"))
    yield made / "site"
    shutil.rmtree(made)


def is_there(process: psutil.Process) -> bool:
    """Whether it runs; one that nobody has buried yet does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def left_of(family: list[psutil.Process]) -> list[psutil.Process]:
    """Wait for processes to end and return those that do not."""
    deadline_s = time.monotonic() + GONE_WITHIN_S
    while left := [process for process in family if is_there(process)]:
        if time.monotonic() > deadline_s:
            break
        time.sleep(0.05)
    return left


def refusal(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run a demo that cannot start: its exit code and all its errors."""
    demo = Demo(folder, *arguments)
    out, err = demo.process.communicate(timeout=60)
    assert out == ""
    return demo.process.returncode, err


def assert_sums_close(summary: dict) -> None:
    for transport in ("modbus", "mqtt"):
        found = summary["readings"][transport]
        assert found["sent"] > 0
        assert found["lost"] == 0
        parts = ("stored", "repeated", "refused", "unheard", "lost")
        assert found["sent"] == sum(found[name] for name in parts)


# The tests below go on with one another's data, in this order.


def test_killed_without_a_word_it_leaves_no_process(folder) -> None:
    with running(folder, *FAST) as demo:
        assert len(demo.family) >= 5
        demo.process.send_signal(signal.SIGKILL)
        assert left_of(demo.family) == []


def test_the_next_start_goes_on_and_accounts_for_every_reading(folder) -> None:
    with running(folder, *FAST, "--for", "3") as demo:
        code, out, _ = demo.end()
        assert left_of(demo.family) == []
    summary = json.loads(out)
    assert code == 0
    assert_sums_close(summary)
    # A day of 11 meters is 1,056 readings; what is new since the kill is much less.
    assert summary["history"]["modbus"]["stored"] < 300
    assert summary["intervals"] > 1000
    assert summary["version"]


def test_a_second_one_is_refused_and_ctrl_c_ends_the_first(folder) -> None:
    with running(folder, *FAST) as demo:
        code, said = refusal(folder, "--headless")
        assert (code, said.count("\n")) == (1, 1)
        assert str(folder) in said
        assert "--state" in said
        demo.process.send_signal(signal.SIGINT)
        code, out, _ = demo.end()
        assert left_of(demo.family) == []
    assert code == 0
    assert_sums_close(json.loads(out))


def test_a_fresh_start_forgets_the_data_before(folder) -> None:
    with running(folder, *FAST, "--fresh", "--for", "0") as demo:
        code, out, _ = demo.end()
    assert code == 0
    # A day of 11 meters is 1,056 readings, written once more.
    written = json.loads(out)["history"]
    assert sum(count["stored"] for count in written.values()) > 1000


def test_when_a_part_dies_it_says_which_and_stops_the_rest(folder) -> None:
    with running(folder, *FAST) as demo:
        demo.part("keywatt.embedded").kill()
        code, _, said = demo.end()
        assert left_of(demo.family) == []
    assert code == 1
    assert said.startswith("The broker ended (SIGKILL)")
    assert str(folder / "logs" / "broker.log") in said


def test_a_busy_port_is_said_before_anything_starts(tmp_path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, said = refusal(tmp_path / "site", "--port", port)
    assert (code, said.count("\n")) == (1, 1)
    assert f"Port {port}" in said
    assert "--port" in said


def test_a_folder_without_write_right_is_said(tmp_path) -> None:
    # A file where the folder should be: that stops the superuser too.
    file = tmp_path / "file"
    file.write_text("")
    code, said = refusal(file / "site", "--headless")
    assert (code, said.count("\n")) == (1, 1)
    assert f"cannot write to {file / 'site'}" in said
    assert "--state" in said


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """Mount a disk of a given size."""
    made = Path(tempfile.mkdtemp(prefix="keywatt-test-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(made)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode:
        made.rmdir()
        missing("A small disk cannot be mounted: run as root.")
    try:
        yield made
    finally:
        subprocess.run(["umount", str(made)], check=True)
        made.rmdir()


def test_a_disk_without_room_is_said_before_anything_starts() -> None:
    with small_disk("40m") as disk:
        code, said = refusal(disk / "site", "--headless")
    assert (code, said.count("\n")) == (1, 1)
    assert "nearly full" in said
    assert "--state" in said


def test_a_disk_that_fills_up_stops_everything_with_one_sentence() -> None:
    with small_disk("460m") as disk:
        with running(disk / "site", *FAST) as demo:
            with (
                suppress(OSError),
                (disk / "ballast").open("wb", buffering=0) as ballast,
            ):
                while True:
                    ballast.write(bytes(1 << 20))
            code, _, said = demo.end()
            assert left_of(demo.family) == []
        assert code == 1
        assert "is full" in said
