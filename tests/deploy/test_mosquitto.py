"""The broker as docker-compose.yml runs it: who may log in, and speak where."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest
from paho.mqtt.client import CallbackAPIVersion, Client, MQTTMessage

from tests.support import missing

DEPLOY = Path(__file__).parents[2] / "deploy" / "mosquitto"
PASSWORDS = {
    "COLLECTOR_PASSWORD": "c-secret",
    "WORKER_PASSWORD": "w-secret",
    "CREWS_PASSWORD": "k-secret",
    "SIMULATORS_PASSWORD": "",
}
WAIT_S = 10


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def port(tmp_path_factory) -> Iterator[int]:
    """Run the shipped start script, its container paths moved to a folder of ours."""
    if not shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin"):
        missing("Mosquitto is not installed: apt-get install mosquitto")
    root = tmp_path_factory.mktemp("mosquitto")
    root.chmod(0o755)
    for parent in root.parents[:2]:  # pytest's own folders; the broker drops root
        parent.chmod(0o755)
    deploy, config, data = root / "deploy", root / "config", root / "data"
    shutil.copytree(DEPLOY, deploy)
    (deploy / "meters.txt").write_text("STEEL-1:m-secret\n")
    config.mkdir()
    data.mkdir()
    listen = free_port()
    for file in (deploy / "start", deploy / "mosquitto.conf"):
        text = file.read_text()
        text = text.replace("/mosquitto/", f"{root}/")
        text = text.replace("listener 1883", f"listener {listen} 127.0.0.1")
        if os.geteuid() != 0:
            text = text.replace("chown mosquitto:mosquitto", "true")
        file.write_text(text)
    env = {**PASSWORDS, "PATH": os.environ["PATH"] + ":/usr/sbin"}
    broker = subprocess.Popen(["/bin/sh", str(deploy / "start")], env=env)
    try:
        for _ in range(WAIT_S * 100):
            try:
                socket.create_connection(("127.0.0.1", listen), timeout=0.01).close()
                break
            except OSError:
                assert broker.poll() is None, "the broker ended at once"
                broker_wait(broker)
        yield listen
    finally:
        broker.terminate()
        broker.wait(WAIT_S)


def broker_wait(broker: subprocess.Popen) -> None:
    """Give the broker a moment, unless it ends."""
    try:
        broker.wait(0.01)
    except subprocess.TimeoutExpired:
        return


class Peer:
    """A client that is logged in, or was refused."""

    def __init__(self, port: int, user: str | None, password: str | None) -> None:
        self.answers: Queue[bool] = Queue()
        self.heard: Queue[str] = Queue()
        self.client = Client(CallbackAPIVersion.VERSION2)
        if user:
            self.client.username_pw_set(user, password)
        self.client.on_connect = lambda _c, _u, _f, code, _p: self.answers.put(
            not code.is_failure
        )
        self.client.on_message = self._hear
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.let_in = self.answers.get(timeout=WAIT_S)

    def _hear(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.heard.put(message.topic)

    def publish(self, topic: str) -> None:
        self.client.publish(topic, b"x", qos=1).wait_for_publish(WAIT_S)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def peer(port) -> Iterator:
    peers = []

    def log_in(user: str | None = None, password: str | None = None) -> Peer:
        peers.append(Peer(port, user, password))
        return peers[-1]

    yield log_in
    for one in peers:
        one.close()


def test_nobody_enters_without_the_right_password(peer) -> None:
    assert not peer().let_in
    assert not peer("collector", "wrong").let_in
    assert peer("collector", "c-secret").let_in


def test_a_user_without_a_password_does_not_exist(peer) -> None:
    assert not peer("simulators", "").let_in


def test_a_meter_speaks_only_for_itself(peer) -> None:
    collector = peer("collector", "c-secret")
    collector.client.subscribe("keywatt/meters/+/reading", qos=1)
    meter = peer("STEEL-1", "m-secret")
    meter.publish("keywatt/meters/STEEL-2/reading")
    meter.publish("keywatt/meters/STEEL-1/reading")
    # Both were confirmed by the broker, in order: only the second came through.
    assert collector.heard.get(timeout=WAIT_S) == "keywatt/meters/STEEL-1/reading"
    with pytest.raises(Empty):
        collector.heard.get_nowait()


def test_only_the_worker_speaks_to_crews(peer) -> None:
    crews = peer("crews", "k-secret")
    crews.client.subscribe("keywatt/crews/+/alerts", qos=1)
    peer("collector", "c-secret").publish("keywatt/crews/steel/alerts")
    peer("worker", "w-secret").publish("keywatt/crews/hospital/alerts")
    # In this order: had the collector been let through, steel would come first.
    assert crews.heard.get(timeout=WAIT_S) == "keywatt/crews/hospital/alerts"
