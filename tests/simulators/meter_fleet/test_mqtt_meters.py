"""What light meters publish when, fault by fault."""

import json

import pytest

from meters.payload import PayloadError, decode_payload, split_payload
from meters.profile import load_profile
from meters.quantity import REGISTERS
from meters.reading import utc_us
from simulators.meter_fleet.fault_request import parse_fleet_fault
from simulators.meter_fleet.faults import Fault
from simulators.meter_fleet.ledger import Ledger
from simulators.meter_fleet.meter import registers_of
from simulators.meter_fleet.mqtt_line import Message
from simulators.meter_fleet.mqtt_meters import MqttMeters
from simulators.meter_fleet.plan import make_fleet
from tests.simulators.meter_fleet.made import START_MS, plan

PROFILE = load_profile("keywatt-json")
SECOND_MS = 1000


class Line:
    """Takes what is published."""

    def __init__(self) -> None:
        self.posted: list[Message] = []

    def post(self, message: Message) -> None:
        self.posted.append(message)

    def flush(self) -> None:
        """All is out already."""


class Publishing:
    """Meters that publish every second into a line."""

    def __init__(self, *faults: str, meters: int = 1, batch: int = 1) -> None:
        requests = [parse_fleet_fault(text) for text in faults]
        self.fleet = make_fleet(plan(mqtt=meters), requests)
        self.line, self.ledger = Line(), Ledger(self.fleet)
        self.now_ms = START_MS - 1
        self.meters = MqttMeters(
            self.fleet,
            dict.fromkeys(range(meters), self.line),
            self.ledger,
            start_ms=START_MS,
            every_ms=SECOND_MS,
            batch=batch,
        )

    def until(self, second: float) -> list[Message]:
        """Return what was published up to then, in order; time passes steadily."""
        stop_ms = START_MS + round(second * 1000)
        while self.now_ms < stop_ms:
            self.now_ms = min(self.now_ms + SECOND_MS, stop_ms)
            self.jump_to(self.now_ms)
        return self.line.posted

    def jump_to(self, now_ms: int) -> None:
        """Let no time pass in between."""
        self.now_ms = now_ms
        while self.meters.publish_due(now_ms):
            pass

    def seconds(self, second: float) -> list[float]:
        """Return when the published readings were measured, after the start."""
        parsed = [
            each
            for message in self.until(second)
            for each in decode_payload(PROFILE, message.payload)
        ]
        return [(utc_us(p.measured_at) / 1000 - START_MS) / 1000 for p in parsed]


def test_meters_spread_over_the_period_and_are_measured_at_their_instant() -> None:
    published = Publishing(meters=4)
    assert published.seconds(1.3) == [0, 0.25, 0.5, 0.75, 1.0, 1.25]
    topics = [message.topic for message in published.line.posted]
    assert topics[0] == topics[4] != topics[1]


@pytest.mark.parametrize("fault", ["", "rollover=3", "counter-glitch", "zero", "swap"])
def test_what_is_in_a_payload_is_what_the_ledger_will_hold(fault) -> None:
    published = Publishing(*[fault] * bool(fault), meters=3)
    for message in published.until(20):
        [parsed] = decode_payload(PROFILE, message.payload)
        [given] = message.given
        assert registers_of(parsed.values) == pytest.approx(
            given.registers, nan_ok=True
        )
        assert parsed.values[REGISTERS[0]] == given.registers[0]
        assert utc_us(parsed.measured_at) == given.measured_ms * 1000
        assert parsed.serial == given.meter.serial


def test_what_is_a_whole_period_late_is_left_out_and_counted() -> None:
    published = Publishing(meters=4)
    published.jump_to(START_MS + 3100)
    assert published.seconds(3.1) == [2.25, 2.5, 2.75, 3.0]
    assert published.meters.missed == 9


def test_at_the_beginning_nothing_was_missed() -> None:
    published = Publishing(meters=4)
    published.meters.begin(START_MS + 60_000)
    published.jump_to(START_MS + 60_300)
    assert published.seconds(60.3) == [60.25]
    assert published.meters.missed == 0


def test_a_dead_one_publishes_nothing_while_it_is_dead() -> None:
    published = Publishing("dead:2..4")
    assert published.seconds(5) == [0, 1, 4, 5]
    assert published.ledger.withheld[Fault.DEAD] == 2


def test_a_slow_one_s_readings_come_late_with_their_own_time() -> None:
    published = Publishing("slow=1.5")
    assert published.seconds(0) == []
    assert published.seconds(1) == []
    assert published.meters.kept == 2
    assert published.seconds(2) == [0]
    assert published.seconds(3) == [0, 1]


def test_duplicates_carry_the_reading_once() -> None:
    published = Publishing("duplicate")
    assert published.seconds(2) == [0, 0, 1, 1, 2, 2]
    assert [len(m.given) for m in published.line.posted] == [1, 0] * 3


def test_out_of_order_is_newest_first() -> None:
    published = Publishing("out-of-order=3")
    assert published.seconds(6) == [2, 1, 0, 5, 4, 3]


def test_after_an_outage_all_comes_in_batches_oldest_first() -> None:
    published = Publishing("burst:1..250")
    assert published.seconds(249) == [0]
    # 1 to 250: three messages of 100, 100 and 50.
    assert published.seconds(250) == list(range(251))
    sizes = [len(message.given) for message in published.line.posted]
    assert sizes == [1, 100, 100, 50]


def test_batches_hold_as_many_as_wanted() -> None:
    published = Publishing(batch=3)
    assert published.seconds(7) == [0, 1, 2, 3, 4, 5]
    assert [len(m.given) for m in published.line.posted] == [3, 3]
    assert published.meters.kept == 2


def test_retained_is_said_to_the_broker() -> None:
    published = Publishing("retained:..2")
    assert [m.retain for m in published.until(3)] == [True, True, False, False]


@pytest.mark.parametrize("fault", ["garbage", "oversize=0.3"])
def test_nonsense_is_refused_by_whoever_decodes_it_and_given_by_nobody(fault) -> None:
    published = Publishing(fault)
    assert len(published.until(40)) == 41
    for message in published.line.posted:
        assert message.given == ()
        with pytest.raises(PayloadError):
            decode_payload(PROFILE, message.payload)


def test_another_s_serial_stands_in_a_payload_under_the_own_topic() -> None:
    published = Publishing("wrong-unit-echo@FQ00001", meters=2)
    first, second = published.until(0.5)
    assert json.loads(first.payload)["meter"] == "FQ00002"
    assert "FQ00001" in first.topic
    assert (first.given, len(second.given)) == ((), 1)
    readings, refused = split_payload(PROFILE, first.payload)
    assert (len(readings), refused) == (1, [])  # only its topic tells


def test_who_left_a_will_behind_publishes_nothing() -> None:
    published = Publishing("last-will:1..3")
    assert published.seconds(4) == [0, 3, 4]
