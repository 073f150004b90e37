"""What is done to a site, one after another; each ends with the same ledger check."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from benchmarks.chaos.ground import wait_for
from benchmarks.chaos.line import Cut
from benchmarks.chaos.verdict import Verdict
from benchmarks.chaos.world import COLLECTOR, World
from keywatt.clock import SiteClock
from keywatt.settings import SETTING_NAMES
from meters.meter import Transport


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How long things last, in seconds, and how often."""

    outage_s: float
    """How long a database is away."""
    between_s: float
    """At most so long between two blows, at random."""
    load_s: float
    """Undisturbed, before and after."""
    kills: int
    """How often a collector is killed; others a third of it."""


_BROKER_HEARS_S = 0.3
"""So long a commit hangs: what is acknowledged too early, the broker forgets."""
SHORT = Pace(outage_s=2.5, between_s=0.6, load_s=0.5, kills=10)
LONG = Pace(outage_s=60.0, between_s=5.0, load_s=5.0, kills=10)

Blow = Callable[[World, Pace, random.Random], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One way to break a site."""

    name: str
    tells: str
    """What happens, for people."""
    blow: Blow
    needs: frozenset[str] = frozenset()
    """Settings without which it cannot be run yet."""
    collectors: tuple[str, ...] = (COLLECTOR,)
    """Several share the messages, and each asks every Modbus meter."""
    with_modbus: bool = True
    kills_broker: bool = False

    @property
    def can_run(self) -> bool:
        """Whether this Keywatt has what it needs."""
        return self.needs <= set(SETTING_NAMES)


def run(scenario: Scenario, world: World, pace: Pace, chance: random.Random) -> Verdict:
    """Run one scenario under load, and hold the ledger against the database."""
    world.broker_saves(always=scenario.kills_broker)
    world.collectors_are(scenario.collectors)
    with world.meters(modbus=scenario.with_modbus):
        time.sleep(pace.load_s)
        scenario.blow(world, pace, chance)
        world.heal()
        time.sleep(pace.load_s)
    return world.verdict()


def kill_database(world: World, pace: Pace, _chance: random.Random) -> None:
    """Kill the database with all its processes, and start it again after a while."""
    world.postgres.kill()
    time.sleep(pace.outage_s)
    world.postgres.start()
    world.postgres.await_ready()


def kill_database_often(world: World, pace: Pace, chance: random.Random) -> None:
    """Kill the database again and again, also while it recovers."""
    for _ in range(pace.kills // 3):
        world.postgres.kill()
        world.postgres.start()
        time.sleep(chance.uniform(0.0, pace.between_s))


def kill_collector(world: World, pace: Pace, chance: random.Random) -> None:
    """Kill a collector many times at random, starting it again each time.

    Every other time it comes to serve, and is killed in the middle of a commit: most
    often before the server hears of it, when nothing may be acknowledged yet.
    """
    for number in range(pace.kills):
        victim = world.one_collector(chance)
        if number % 2:
            victim.await_ready()
        time.sleep(chance.uniform(0.0, pace.between_s))
        if number % 2:
            cut = Cut.AFTER if number % 6 == 5 else Cut.BEFORE
            of = str(Transport.MQTT).encode()  # polled readings have no broker
            world.line.cut_at_next_commit(cut, hangs=True, of=of)
            wait_for(lambda: not world.line.is_armed, "a commit")
            time.sleep(_BROKER_HEARS_S)
        victim.kill()
        world.line.let_go()
        victim.start()


def kill_broker(world: World, pace: Pace, chance: random.Random) -> None:
    """Kill the broker and start it again."""
    for _ in range(pace.kills // 4):
        # What it confirmed just before is in doubt: it is to do more than that.
        time.sleep(2.0 + chance.uniform(0.0, pace.between_s))
        world.kill_broker()
        time.sleep(chance.uniform(0.0, pace.between_s))
        world.broker.start()
        world.broker.await_ready()


def cut_commits(world: World, pace: Pace, chance: random.Random) -> None:
    """Break the line to the database in the middle of commits, and altogether."""
    for _ in range(max(2, pace.kills // 3)):
        for cut in chance.sample(list(Cut), len(Cut)):
            world.line.cut_at_next_commit(cut)
            wait_for(lambda: not world.line.is_armed, "a commit")
            time.sleep(chance.uniform(0.0, pace.between_s / 4))
    world.line.down()
    time.sleep(pace.outage_s / 3)
    world.line.up()


def set_clock_back(world: World, pace: Pace, _chance: random.Random) -> None:
    """Set the collectors' clock back by an hour, and a little more."""
    world.is_clock_believed = False
    for off in (timedelta(0), timedelta(minutes=-61)):
        clock = SiteClock.starting(datetime.now(UTC) + off, 1.0)
        world.restart_collectors({"clock": str(clock)})
        time.sleep(pace.load_s)
    world.restart_collectors({})


def kill_one_of_two(world: World, pace: Pace, chance: random.Random) -> None:
    """Kill one of those that share the messages, and bring it back."""
    for _ in range(2):
        time.sleep(chance.uniform(pace.between_s / 2, pace.between_s))
        victim = world.one_collector(chance)
        victim.kill()
        time.sleep(pace.load_s)
        victim.start()
        victim.await_ready()


def kill_both(world: World, pace: Pace, chance: random.Random) -> None:
    """Kill a collector while the database is away, so that only a journal helps."""
    world.postgres.kill()
    time.sleep(pace.outage_s / 2)
    victim = world.one_collector(chance)
    victim.kill()
    time.sleep(chance.uniform(0.0, pace.between_s))
    world.postgres.start()
    world.postgres.await_ready()
    victim.start()
    victim.await_ready()


def fill_journal_disk(world: World, pace: Pace, _chance: random.Random) -> None:
    """Let the disk of the journal take nothing more for a while."""
    with world.small_journal() as disk:
        disk.fill()
        time.sleep(pace.outage_s)
        disk.free()
        time.sleep(pace.load_s)


SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="database-killed",
            tells="the database is killed and started again",
            blow=kill_database,
        ),
        Scenario(
            name="database-killed-often",
            tells="the database is killed while it recovers",
            blow=kill_database_often,
        ),
        Scenario(
            name="collector-killed",
            tells="the collector is killed ten times at random",
            blow=kill_collector,
        ),
        Scenario(
            name="broker-killed",
            tells="the broker is killed and started again",
            blow=kill_broker,
            kills_broker=True,
        ),
        Scenario(
            name="commit-cut",
            tells="the line to the database breaks in the middle of commits",
            blow=cut_commits,
        ),
        Scenario(
            name="journal-disk-full",
            tells="the journal's disk is full for a while",
            blow=fill_journal_disk,
            needs=frozenset({"journal_dir"}),
        ),
        Scenario(
            name="one-of-two-killed",
            tells="two collectors share the messages, one is killed",
            blow=kill_one_of_two,
            needs=frozenset({"broker_share", "collector_name"}),
            collectors=("one", "two"),
            with_modbus=False,
        ),
        Scenario(
            name="collector-killed-in-outage",
            tells="the collector is killed while the database is away",
            blow=kill_both,
            needs=frozenset({"journal_dir"}),
        ),
        Scenario(
            name="clock-set-back",
            tells="the collector's clock is set back by an hour",
            blow=set_clock_back,
        ),
    )
}
"""The last one leaves stamps behind that later checks cannot judge: it stays last."""


def in_turn(world: World, pace: Pace, chance: random.Random) -> None:
    """Do all that this site can bear one after another, under the same load."""
    is_shared = len(world.collectors) > 1
    for scenario in SCENARIOS.values():
        # Mosquitto 2.0.11 forgets at its end who shares a subscription: until one of
        # them is back, what it confirms goes nowhere.
        left_out = scenario.kills_broker if is_shared else len(scenario.collectors) > 1
        if scenario.can_run and not left_out:
            scenario.blow(world, pace, chance)
            world.heal()


IN_TURN = (
    Scenario(
        name="all-in-turn",
        tells="all of these one after another",
        blow=in_turn,
        needs=frozenset({"journal_dir"}),
        kills_broker=True,
    ),
    Scenario(
        name="all-in-turn-shared",
        tells="all but the broker's end, two collectors sharing the messages",
        blow=in_turn,
        needs=frozenset({"broker_share", "collector_name", "journal_dir"}),
        collectors=("one", "two"),
    ),
)
