"""A small fault campaign: what the large one claims must hold in it too."""

import logging

import pytest

from benchmarks.campaign.schedule import CAMPAIGN
from benchmarks.campaign.scores import scores
from benchmarks.fault_campaign import run
from simulators.meter_fleet.faults import Fault
from tests.fix_database import new_database


@pytest.fixture(scope="module")
def found(postgres):
    logging.getLogger("collector").setLevel(logging.CRITICAL)
    with new_database(postgres) as url:
        return scores(run(url, points=10, days=12, seed=3).outcomes)


def test_every_fault_of_a_meter_is_put_in(found) -> None:
    assert set(CAMPAIGN) == set(Fault) - {Fault.BROKER_RESTART}
    put_in = {name.partition(",")[0] for name in found["faults"]}
    assert put_in == set(CAMPAIGN)
