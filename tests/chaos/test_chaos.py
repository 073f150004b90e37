"""A site of real processes is broken in every way; no reading is lost or invented.

The long campaign is `python -m benchmarks.chaos`; these are its scenarios at a short
pace, all on one site: each check is of everything given since the first.
"""

import random
import shutil
from collections.abc import Iterator

import pytest

from benchmarks.chaos.ground import site_folder
from benchmarks.chaos.scenarios import IN_TURN, SCENARIOS, SHORT, Scenario, run
from benchmarks.chaos.world import Size, World
from keywatt.settings import SETTING_NAMES
from tests.support import missing

pytestmark = pytest.mark.slow

ONLY_LONG = {"database-killed-often", *(scenario.name for scenario in IN_TURN)}
"""What the others show one by one; a minute each."""
RUN_HERE = [
    scenario
    for scenario in (*SCENARIOS.values(), *IN_TURN)
    if scenario.can_run and scenario.name not in ONLY_LONG
]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    if shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin") is None:
        missing("Mosquitto is not installed: apt-get install mosquitto")
    with site_folder() as folder, World(folder, Size(mqtt=60, modbus=15)) as world:
        yield world


@pytest.mark.parametrize("scenario", RUN_HERE, ids=lambda s: s.name)
def test_every_reading_that_a_meter_gave_is_stored_once_and_no_other(
    world: World, scenario: Scenario
) -> None:
    before = len(world.given)
    verdict = run(scenario, world, SHORT, random.Random(scenario.name))
    assert verdict.holds, verdict.told()
    # Something was at stake, and it was not the meters that were silent.
    assert len(world.given) - before > 100
    assert verdict.reckoning.certain > 2 * verdict.reckoning.doubtful


def test_a_scenario_is_left_out_only_for_want_of_a_setting() -> None:
    left_out = [s for s in (*SCENARIOS.values(), *IN_TURN) if not s.can_run]
    assert all(s.needs - set(SETTING_NAMES) for s in left_out)
    assert {n for s in left_out for n in s.needs} <= {
        "journal_dir",
        *SETTING_NAMES,
    }
