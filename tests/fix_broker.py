"""MQTT brokers for tests, on loopback ports of their own.

`broker` runs a test once on each kind; `mosquitto` is Mosquitto alone. Both are the
session's, so tests keep apart by topics and client ids of their own (`unique`).
`own_broker` is one that the test may stop and start again.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from collector.mqtt.broker import BrokerAddress
from tests.support import missing

HOST = "127.0.0.1"
MOSQUITTO = """
listener {port} {host}
{login}
persistence true
persistence_location {folder}/
max_inflight_messages 1000
max_queued_messages 0
max_queued_bytes 0
log_dest none
"""


def free_port() -> int:
    """Port on which nothing listens at the moment."""
    with closing(socket.socket()) as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass
class TestBroker:
    """A broker process that can be stopped and started again at its place."""

    __test__ = False

    kind: str
    folder: Path
    login: str = "allow_anonymous true"
    address: BrokerAddress = field(
        default_factory=lambda: BrokerAddress(host=HOST, port=free_port())
    )
    _stop: Callable[[], None] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._stop = self._mosquitto() if self.kind == "mosquitto" else self._iotcore()
        until = time.monotonic() + 10
        while True:
            with closing(socket.socket()) as sock:
                if sock.connect_ex((HOST, self.address.port)) == 0:
                    return
            assert time.monotonic() < until, f"{self.kind} does not listen"
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it; Mosquitto keeps its sessions on disk."""
        if self._stop is not None:
            self._stop()
        self._stop = None

    def _mosquitto(self) -> Callable[[], None]:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        program = program or shutil.which("mosquitto")
        if program is None:
            missing("Mosquitto is not installed: apt-get install mosquitto")
        config = self.folder / "mosquitto.conf"
        config.write_text(
            MOSQUITTO.format(
                port=self.address.port, host=HOST, folder=self.folder, login=self.login
            )
        )
        # As root it would give up its rights, and with them its folder.
        if self.folder.owner() == "root":
            config.write_text(f"user root\n{config.read_text()}")
        process = subprocess.Popen([program, "-c", str(config)])

        def stop() -> None:
            process.terminate()
            process.wait(10)

        return stop

    def _iotcore(self) -> Callable[[], None]:
        try:
            from iotcore import Broker  # noqa: PLC0415 - optional part
        except ImportError:
            missing("iotcore is not installed: pip install 'keywatt[embedded]'")
        broker = Broker(
            port=self.address.port,
            listen=HOST,
            max_inflight_count=1000,
            max_payload_size=1024 * 1024,
        )
        broker.start()
        return broker.stop


@contextmanager
def running(broker: TestBroker) -> Iterator[TestBroker]:
    """Run a broker while the block lasts."""
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory) -> Iterator[BrokerAddress]:
    """Address of the session's Mosquitto."""
    with running(TestBroker("mosquitto", tmp_path_factory.mktemp("broker"))) as broker:
        yield broker.address


@pytest.fixture(scope="session")
def iotcore(tmp_path_factory) -> Iterator[BrokerAddress]:
    """Address of the session's embedded broker."""
    with running(TestBroker("iotcore", tmp_path_factory.mktemp("broker"))) as broker:
        yield broker.address


@pytest.fixture(params=["mosquitto", "iotcore"])
def broker(request) -> BrokerAddress:
    """Address of a broker, once of each kind."""
    address: BrokerAddress = request.getfixturevalue(request.param)
    return address


@pytest.fixture
def own_broker(tmp_path) -> Iterator[TestBroker]:
    """Return a Mosquitto for this test alone, which it may stop and start."""
    with running(TestBroker("mosquitto", tmp_path)) as broker:
        yield broker


@pytest.fixture
def unique() -> str:
    """Return a word for topics, serial numbers and client ids of this test alone."""
    return uuid4().hex[:12]
