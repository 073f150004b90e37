"""The broker as docker-compose.yml runs it: who may log in, and speak where."""

from collections.abc import Iterator
from queue import Empty, Queue

import pytest
from paho.mqtt.client import CallbackAPIVersion, Client, MQTTMessage

from tests.deploy.shipped_broker import WAIT_S, shipped_broker

PASSWORDS = {
    "COLLECTOR_PASSWORD": "c-secret",
    "WORKER_PASSWORD": "w-secret",
    "CREWS_PASSWORD": "k-secret",
    "SIMULATORS_PASSWORD": "",
}


@pytest.fixture(scope="module")
def port(tmp_path_factory) -> Iterator[int]:
    root = tmp_path_factory.mktemp("mosquitto")
    with shipped_broker(root, PASSWORDS, meters="STEEL-1:m-secret\n") as listens:
        yield listens


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


def test_a_meters_last_will_speaks_only_for_itself(peer) -> None:
    collector = peer("collector", "c-secret")
    collector.client.subscribe("keywatt/meters/+/status", qos=1)
    meter = peer("STEEL-1", "m-secret")
    meter.publish("keywatt/meters/STEEL-2/status")
    meter.publish("keywatt/meters/STEEL-1/status")
    assert collector.heard.get(timeout=WAIT_S) == "keywatt/meters/STEEL-1/status"
    with pytest.raises(Empty):
        collector.heard.get_nowait()


def test_only_the_worker_speaks_to_crews(peer) -> None:
    crews = peer("crews", "k-secret")
    crews.client.subscribe("keywatt/crews/+/alerts", qos=1)
    peer("collector", "c-secret").publish("keywatt/crews/steel/alerts")
    peer("worker", "w-secret").publish("keywatt/crews/hospital/alerts")
    # In this order: had the collector been let through, steel would come first.
    assert crews.heard.get(timeout=WAIT_S) == "keywatt/crews/hospital/alerts"


def test_what_waits_for_the_collector_is_kept_on_disk(tmp_path_factory) -> None:
    root = tmp_path_factory.mktemp("mosquitto")
    with shipped_broker(root, PASSWORDS):
        pass
    assert (root / "data" / "mosquitto.db").exists()
