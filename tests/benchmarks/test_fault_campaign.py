"""A small fault campaign: what the large one claims must hold in it too."""

import pytest
from benchmarks.campaign_faults import Fault

from benchmarks.fault_campaign import run, scores


@pytest.fixture(scope="module")
def found():
    return scores(run(points=6, days=90, seed=5))


def test_every_fault_is_put_in(found) -> None:
    assert {name for name, row in found["faults"].items() if row["injected"]} == {
        fault.value for fault in Fault
    }


def test_every_fault_is_found_and_nothing_else(found) -> None:
    shares = {name: row["found_share"] for name, row in found["faults"].items()}
    assert set(shares.values()) == {1.0}, shares
    assert sum(found["false_alarms"].values()) <= 1


def test_energy_is_right_afterwards(found) -> None:
    assert found["missing_intervals"] == 0
    assert found["error_before_pct"] > 10
    assert found["error_after_pct"] < 0.1
    assert found["worst_point_pct"] < 1.0
