"""The broker as docker-compose.yml runs it, on this machine."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.fix_broker import free_port
from tests.support import missing

DEPLOY = Path(__file__).parents[2] / "deploy" / "mosquitto"
WAIT_S = 10


@contextmanager
def shipped_broker(
    root: Path, passwords: Mapping[str, str], meters: str = ""
) -> Iterator[int]:
    """Run the shipped start script, its container paths moved to a folder of ours.

    Parameters
    ----------
    root : Path
        An empty folder below pytest's own.
    passwords : mapping of str to str
        Environment of the start script.
    meters : str
        Content of meters.txt.

    Yields
    ------
    int
        The port on 127.0.0.1.

    """
    if not shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin"):
        missing("Mosquitto is not installed: apt-get install mosquitto")
    root.chmod(0o755)
    for parent in root.parents[:3]:  # pytest's own folders; the broker drops root
        parent.chmod(0o755)
    deploy, config, data = root / "deploy", root / "config", root / "data"
    shutil.copytree(DEPLOY, deploy)
    (deploy / "meters.txt").write_text(meters)
    config.mkdir()
    data.mkdir()
    port = free_port()
    for file in (deploy / "start", deploy / "mosquitto.conf"):
        text = file.read_text()
        text = text.replace("/mosquitto/", f"{root}/")
        text = text.replace("listener 1883", f"listener {port} 127.0.0.1")
        if os.geteuid() != 0:
            text = text.replace("chown mosquitto:mosquitto", "true")
        file.write_text(text)
    env = {**passwords, "PATH": os.environ["PATH"] + ":/usr/sbin"}
    broker = subprocess.Popen(["/bin/sh", str(deploy / "start")], env=env)
    try:
        _await(port, broker)
        yield port
    finally:
        broker.terminate()
        broker.wait(WAIT_S)


def _await(port: int, broker: subprocess.Popen) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert broker.poll() is None, "the broker ended at once"
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        else:
            return
