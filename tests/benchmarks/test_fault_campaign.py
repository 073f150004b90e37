"""A small fault campaign: what the large one claims must hold in it too."""

import logging

import pytest

from benchmarks.campaign.schedule import CAMPAIGN
from benchmarks.campaign.scores import scores
from benchmarks.fault_campaign import main, run
from simulators.meter_fleet.faults import Fault
from tests.fix_database import new_database

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(postgres):
    logger = logging.getLogger("collector")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # each fault is a warning of the collector's
    with new_database(postgres) as url:
        yield scores(run(url, points=10, days=12, seed=3).outcomes)
    logger.setLevel(level)


def test_every_fault_that_a_meter_can_have_is_put_in(found) -> None:
    assert set(CAMPAIGN) == set(Fault) - {Fault.BROKER_RESTART}
    put_in = {name.partition(",")[0] for name in found["faults"]}
    assert put_in == set(CAMPAIGN)


def test_every_fault_is_found_or_its_energy_right(found) -> None:
    missed = {
        name: row
        for name, row in found["faults"].items()
        if row["found_share"] != 1.0 and row["right_share"] != 1.0
    }
    assert not missed
    # A day of a point is one false alarm: of 120, no more than a few.
    assert sum(found["false_alarms"].values()) <= 4


def test_energy_is_right_afterwards(found) -> None:
    # Of each point that is not read on the quarter-hour, the very first is not stored.
    assert found["missing_intervals"] == found["absent_intervals"] <= 10
    assert found["error_before_pct"] > 10
    assert found["error_after_pct"] < 0.1
    assert found["worst_point_pct"] < 1.0
    assert found["fed_pct"] == 0.0


def test_too_few_days_for_the_faults_are_refused(monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["fault_campaign", "--days", "5"])
    with pytest.raises(SystemExit):
        main()
    assert "12 days" in capsys.readouterr().err
