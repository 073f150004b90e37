from datetime import UTC, datetime, timedelta

import pytest

from simulators.faults import Fault, FaultError, FaultKind, parse_fault

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_fault_is_read() -> None:
    assert parse_fault("phase-loss@steel", {"steel", "office"}, NOW) == Fault(
        kind=FaultKind.PHASE_LOSS, account="steel", starts_at=NOW
    )


@pytest.mark.parametrize(
    "text", ["phase-loss", "phase-loss@", "@steel", "fire@steel", "outage@moon", ""]
)
def test_a_wrong_fault_is_told_what_there_is(text) -> None:
    with pytest.raises(FaultError) as caught:
        parse_fault(text, {"steel", "office"}, NOW)
    assert str(caught.value) == (
        f"There is no fault {text!r}: write KIND@ACCOUNT with KIND one of phase-loss, "
        "stuck-on, outage, overload, silent and ACCOUNT one of office, steel."
    )


def test_a_fault_has_a_start_and_an_end() -> None:
    fault = Fault(
        kind=FaultKind.SILENT,
        account="steel",
        starts_at=NOW,
        ends_at=NOW + timedelta(minutes=2),
    )
    seconds = [-1, 0, 119, 120]
    moments = [NOW + timedelta(seconds=s) for s in seconds]
    assert [fault.active_at(m) for m in moments] == [False, True, True, False]


def test_a_fault_made_now_leaves_the_minute_alone() -> None:
    fault = Fault(
        kind=FaultKind.OUTAGE,
        account="steel",
        starts_at=NOW + timedelta(seconds=20),
        ends_at=NOW + timedelta(seconds=80),
    )
    moments = [NOW + timedelta(seconds=s) for s in (20, 59, 60, 119, 120)]
    assert [fault.active_at(m) for m in moments] == [False, False, True, True, False]
