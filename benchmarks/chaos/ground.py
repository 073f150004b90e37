"""Ground to stand on: folders, ports, and waiting for what others do."""

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.chaos.line import HOST
from benchmarks.chaos.programs import LOOK_EVERY_S
from simulators.meter_fleet.mqtt_frames import DISCONNECT, Login, connect_packet


@contextmanager
def site_folder(keep: Path | None = None) -> Iterator[Path]:
    """Yield a folder that is not there yet: one to keep, or one that goes afterwards.

    Not one of pytest's: those are closed to the database's user at every start of it.
    """
    if keep is not None:
        yield keep.absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="keywatt-chaos-"))
    folder.chmod(0o711)
    try:
        yield folder / "site"
    finally:
        shutil.rmtree(folder)


def free_ports(count: int) -> Sequence[int]:
    """Return so many ports in a row on which nothing listens."""
    for first in range(20_000 + os.getpid() % 100 * 100, 60_000, count):
        ports = range(first, first + count)
        if all(_is_free(port) for port in ports):
            return ports
    raise SystemExit("There are not enough free ports.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def listens(port: int) -> bool:
    """Say whether somebody listens on a port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def forget_session(broker_port: int, name: str) -> None:
    """Let the broker forget a client and all that it keeps for it."""
    with socket.create_connection((HOST, broker_port), timeout=10) as line:
        line.sendall(connect_packet(Login(client_id=name)) + DISCONNECT)
        while line.recv(1024):
            pass


Wait = Callable[[], bool]


def wait_for(holds: Wait, what: str, within_s: float = 30.0) -> None:
    """Wait until something holds; RuntimeError if it does not in time."""
    deadline_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"Waited in vain for {what}.")
        time.sleep(LOOK_EVERY_S)
