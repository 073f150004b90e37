"""Every fault that a fleet's meters can have, by name. Pure.

SimulatorError
FleetFaultError   a fault that does not exist, or not at such a meter
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from meters.meter import Transport

MODBUS, MQTT = frozenset({Transport.MODBUS}), frozenset({Transport.MQTT})
BOTH = MODBUS | MQTT
FOR_EVER_MS = 1 << 62


class Fault(StrEnum):
    """What goes wrong; `KINDS` says what each does."""

    DEAD = "dead"
    SLOW = "slow"
    LATE_REPLY = "late-reply"
    GARBAGE = "garbage"
    ENDLESS = "endless"
    OVERSIZE = "oversize"
    EXCEPTION = "exception"
    WRONG_UNIT_ECHO = "wrong-unit-echo"
    STUCK = "stuck"
    COUNTER_GLITCH = "counter-glitch"
    ZERO = "zero"
    ROLLOVER = "rollover"
    SWAP = "swap"
    CLOCK_DRIFT = "clock-drift"
    SUMMER_CLOCK = "summer-clock"
    HOLE = "hole"
    WORD_ORDER = "word-order"
    HASTE = "haste"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out-of-order"
    BURST = "burst"
    RETAINED = "retained"
    LAST_WILL = "last-will"
    BROKER_RESTART = "broker-restart"
    LEAP = "leap"
    STALLED = "stalled"
    REVERSED = "reversed"
    RATIO_CHANGE = "ratio-change"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """What a fault does and for whom it stands."""

    peers_line: int
    """Line of the list of pains that users of such systems report."""
    transports: frozenset[Transport]
    does: str
    """One sentence for people; {size} is its size."""
    size: float | None = None
    """Used where none is asked for; None: it has no size."""
    unit: str = ""

    @property
    def told(self) -> str:
        """What it does at its usual size."""
        size = self.size or 0
        return self.does.replace("{size}", f"{size:,.0f}" if size >= 1 else f"{size}")


KINDS: Mapping[Fault, Kind] = {
    Fault.DEAD: Kind(
        peers_line=1, transports=BOTH, does="Gives no answer, or publishes nothing."
    ),
    Fault.SLOW: Kind(
        peers_line=1,
        transports=BOTH,
        does="Answers, or publishes, after {size} s.",
        size=0.8,
        unit="s",
    ),
    Fault.LATE_REPLY: Kind(
        peers_line=12,
        transports=MODBUS,
        does="Answers after {size} s, when nobody waits for it any more.",
        size=5.0,
        unit="s",
    ),
    Fault.GARBAGE: Kind(
        peers_line=8,
        transports=BOTH,
        does="Sends what is no answer: noise, cut or misfitting frames; over MQTT "
        "broken payloads.",
    ),
    Fault.ENDLESS: Kind(
        peers_line=1,
        transports=MODBUS,
        does="Sends bytes without the end of a frame for as long as one listens.",
    ),
    Fault.OVERSIZE: Kind(
        peers_line=8,
        transports=MQTT,
        does="Publishes a message of {size} MB.",
        size=10.0,
        unit="MB",
    ),
    Fault.EXCEPTION: Kind(
        peers_line=14,
        transports=MODBUS,
        does="Answers with exception {size}; with 0, with each code there is.",
        size=0.0,
    ),
    Fault.WRONG_UNIT_ECHO: Kind(
        peers_line=12,
        transports=BOTH,
        does="Answers as another unit, with that one's data; over MQTT the payload "
        "names another meter.",
    ),
    Fault.STUCK: Kind(
        peers_line=5,
        transports=BOTH,
        does="Shows for ever what it showed when it began; its clock goes on.",
    ),
    Fault.COUNTER_GLITCH: Kind(
        peers_line=2,
        transports=BOTH,
        does="One reading of ten shows {size} kWh too much.",
        size=53_700.0,
        unit="kWh",
    ),
    Fault.ZERO: Kind(peers_line=4, transports=BOTH, does="Shows 0 in every register."),
    Fault.ROLLOVER: Kind(
        peers_line=3,
        transports=BOTH,
        does="Its registers turn over {size} s after it began.",
        size=30.0,
        unit="s",
    ),
    Fault.SWAP: Kind(
        peers_line=3,
        transports=BOTH,
        does="Another meter is in its place: the registers go on from elsewhere.",
    ),
    Fault.CLOCK_DRIFT: Kind(
        peers_line=17,
        transports=BOTH,
        does="Its clock is {size} s ahead, and gains a second a minute.",
        size=240.0,
        unit="s",
    ),
    Fault.SUMMER_CLOCK: Kind(
        peers_line=16,
        transports=BOTH,
        does="Its clock is put forward by an hour, as for summer time.",
    ),
    Fault.HOLE: Kind(
        peers_line=14,
        transports=MODBUS,
        does="A register amid the block is not there: requests over it fail whole.",
    ),
    Fault.WORD_ORDER: Kind(
        peers_line=13,
        transports=MODBUS,
        does="The words of each number come in the other order.",
    ),
    Fault.HASTE: Kind(
        peers_line=15,
        transports=MODBUS,
        does="Misses a request that comes within {size} s of its last answer.",
        size=0.05,
        unit="s",
    ),
    Fault.DUPLICATE: Kind(
        peers_line=11, transports=BOTH, does="Sends everything twice."
    ),
    Fault.OUT_OF_ORDER: Kind(
        peers_line=9,
        transports=MQTT,
        does="Keeps {size} readings and publishes them newest first.",
        size=4.0,
        unit="readings",
    ),
    Fault.BURST: Kind(
        peers_line=7,
        transports=MQTT,
        does="Publishes nothing until it ends, then all it has kept, in batches.",
    ),
    Fault.RETAINED: Kind(
        peers_line=5,
        transports=MQTT,
        does="Lets the broker keep its last message for whoever comes later.",
    ),
    Fault.LAST_WILL: Kind(
        peers_line=1,
        transports=MQTT,
        does="Vanishes without a word, so that the broker publishes its last will.",
    ),
    Fault.BROKER_RESTART: Kind(
        peers_line=11,
        transports=frozenset(),
        does="Runs the command that restarts the broker, once.",
    ),
    Fault.LEAP: Kind(
        peers_line=2,
        transports=BOTH,
        does="Its import register leaps by {size} kWh and goes on from there.",
        size=10_000.0,
        unit="kWh",
    ),
    Fault.STALLED: Kind(
        peers_line=5,
        transports=BOTH,
        does="Its import register stands still; all else goes on.",
    ),
    Fault.REVERSED: Kind(
        peers_line=5,
        transports=BOTH,
        does="Is connected the wrong way round: what is drawn counts as fed.",
    ),
    Fault.RATIO_CHANGE: Kind(
        peers_line=3,
        transports=BOTH,
        does="Gets transformers of {size} times the ratio: its registers slow down.",
        size=2.0,
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Spell:
    """One fault of one meter for a while."""

    fault: Fault
    size: float
    from_ms: int
    """Milliseconds since 1970 UTC."""
    until_ms: int = FOR_EVER_MS

    def is_on(self, at_ms: int) -> bool:
        """Say whether it is there at an instant."""
        return self.from_ms <= at_ms < self.until_ms
