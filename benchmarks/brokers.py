"""A broker that lives as long as a block."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from collector.mqtt.broker import BrokerAddress

HOST = "127.0.0.1"
MOSQUITTO = """
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_inflight_messages 1000
max_queued_messages 0
max_queued_bytes 0
log_dest none
"""


@contextmanager
def running(kind: str) -> Iterator[BrokerAddress]:
    """Run a broker on a free loopback port while the block lasts."""
    with closing(socket.socket()) as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
    address = BrokerAddress(host=HOST, port=port)
    if kind == "iotcore":
        from iotcore import Broker  # noqa: PLC0415 - optional part

        with Broker(port=port, listen=HOST, max_inflight_count=1000):
            yield address
        return
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        raise SystemExit("Mosquitto is not installed: apt-get install mosquitto")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mosquitto.conf"
        config.write_text(MOSQUITTO.format(port=port))
        process = subprocess.Popen([program, "-c", str(config)])
        try:
            _wait_until_listening(port)
            yield address
        finally:
            process.terminate()
            process.wait()


def _wait_until_listening(port: int) -> None:
    latest = time.monotonic() + 10
    while time.monotonic() < latest:
        with closing(socket.socket()) as sock:
            if sock.connect_ex((HOST, port)) == 0:
                return
    raise SystemExit("Mosquitto does not listen")
