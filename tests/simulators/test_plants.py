import math
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from accounts.calendar import DayType, SiteCalendar
from meters.quantity import REGISTERS, Quantity
from meters.reading import utc_us
from simulators.electrical import Supply
from simulators.faults import Fault, FaultKind
from simulators.fleet import KEY_ACCOUNTS
from simulators.plants import Equipment, Plant, PlantPlan

Q = Quantity
EPOCH = date(2026, 9, 1)
CALENDAR = SiteCalendar(ZoneInfo("Asia/Shanghai"), "CN")
MONDAY = date(2026, 9, 14)
MINUTE_US = 60_000_000


def plant_of(code: str, *faults: Fault, seed: int = 0) -> Plant:
    plan = KEY_ACCOUNTS[code].plan()
    return Plant(plan, CALENDAR, epoch=EPOCH, seed=seed, faults=faults)


def moments_us(day: date, *, days: int = 1, step_min: int = 1) -> np.ndarray:
    start = utc_us(CALENDAR.day_bounds(day)[0])
    return start + np.arange(0, days * 1440, step_min) * MINUTE_US


def at(day: date, hour: float) -> datetime:
    return CALENDAR.day_bounds(day)[0] + timedelta(hours=hour)


@pytest.mark.parametrize("code", KEY_ACCOUNTS)
def test_a_plants_energy_is_the_sum_of_its_equipment(code) -> None:
    plant = plant_of(code)
    start, stop = CALENDAR.day_bounds(MONDAY)
    by_equipment_kw = plant.equipment_kw(plant.day(MONDAY))
    energy = plant.energy(np.array([utc_us(start), utc_us(stop)]))
    # Each of the 1440 minutes counts a sixtieth of an hour.
    assert energy[0, 1] - energy[0, 0] == pytest.approx(by_equipment_kw.sum() / 60)
    assert plant.power_kw(moments_us(MONDAY)) == pytest.approx(
        by_equipment_kw.sum(axis=0)
    )


def test_reactive_energy_by_hand() -> None:
    # 300 kW at 0.6: tan phi = 4/3, 400 kvar, of which the capacitor takes 250; when
    # 120 kW run, 160 kvar are less than its 250, and 90 lead.
    def shape(day, _seed):
        return np.where(day.wall_min < 720, 1.0, 0.4)

    plan = PlantPlan(
        code="hand",
        equipment=(
            Equipment(name="Motor", rated_kw=300, power_factor=0.6, shape=shape),
        ),
        supply=Supply(full_load_kw=300),
        capacitor_kvar=250,
    )
    plant = Plant(plan, CALENDAR, epoch=EPOCH)
    total = plant.energy(np.array([utc_us(at(EPOCH, 24))]))[:, 0]
    assert total == pytest.approx([12 * 300 + 12 * 120, 0, 12 * 150, 12 * 90])


@pytest.mark.parametrize("code", KEY_ACCOUNTS)
def test_registers_never_fall(code) -> None:
    steps = np.diff(plant_of(code).energy(moments_us(EPOCH, days=9, step_min=7)))
    assert (steps >= 0).all()
    assert (steps[REGISTERS.index(Q.ENERGY_IMPORT_KWH)] > 0).all()


def test_any_order_gives_the_same_figures() -> None:
    times_us = moments_us(EPOCH, days=20, step_min=37) + 17_123_456
    mixed = np.random.default_rng(5).permutation(times_us)
    in_order = plant_of("steel").energy(times_us)
    out_of_order = plant_of("steel").energy(mixed)
    alone = plant_of("steel").energy(times_us[-1:])
    np.testing.assert_array_equal(out_of_order[:, np.argsort(mixed)], in_order)
    np.testing.assert_array_equal(alone[:, 0], in_order[:, -1])


def test_another_seed_is_another_noise() -> None:
    times_us = moments_us(MONDAY)
    one = plant_of("steel").power_kw(times_us)
    other = plant_of("steel", seed=1).power_kw(times_us)
    assert not np.array_equal(one, other)
    assert one.sum() == pytest.approx(other.sum(), rel=0.1)


def test_there_is_no_time_before_the_epoch() -> None:
    with pytest.raises(ValueError, match="steel has no past before 2026-09-01"):
        plant_of("steel").energy(np.array([utc_us(at(EPOCH, 0)) - 1]))


@pytest.mark.parametrize("code", KEY_ACCOUNTS)
def test_phases_add_up_and_obey_ohm(code) -> None:
    shown = plant_of(code).momentary(moments_us(MONDAY))
    assert shown[Q.ACTIVE_POWER_L1_KW] + shown[Q.ACTIVE_POWER_L2_KW] + shown[
        Q.ACTIVE_POWER_L3_KW
    ] == pytest.approx(shown[Q.ACTIVE_POWER_KW])
    for phase in ("l1", "l2", "l3"):
        volts, amperes = shown[Q(f"voltage_{phase}_v")], shown[Q(f"current_{phase}_a")]
        # P = U I cos(phi)
        assert volts * amperes * shown[Q.POWER_FACTOR] / 1000 == pytest.approx(
            shown[Q(f"active_power_{phase}_kw")]
        )
        assert (np.abs(volts / volts.mean() - 1) < 0.05).all()
    assert (np.abs(shown[Q.FREQUENCY_HZ] - 50) < 0.1).all()


def test_energy_is_what_power_adds_up_to() -> None:
    plant = plant_of("cold-store")
    minutes_us = moments_us(MONDAY)
    ends = plant.energy(np.append(minutes_us, minutes_us[-1] + MINUTE_US))[0]
    assert np.diff(ends) * 60 == pytest.approx(plant.power_kw(minutes_us))
    halfway = plant.energy(minutes_us + MINUTE_US // 2)[0]
    assert halfway == pytest.approx((ends[:-1] + ends[1:]) / 2)


def fault(kind: FaultKind, code: str, hour: float, hours: float) -> Fault:
    return Fault(
        kind=kind,
        account=code,
        starts_at=at(MONDAY, hour),
        ends_at=at(MONDAY, hour + hours),
    )


@pytest.mark.parametrize("code", KEY_ACCOUNTS)
def test_a_lost_phase_is_dead_and_power_falls(code) -> None:
    plant = plant_of(code, fault(FaultKind.PHASE_LOSS, code, 10, 1))
    ten = int((at(MONDAY, 10) - at(MONDAY, 0)) / timedelta(minutes=1))
    shown = plant.momentary(moments_us(MONDAY))
    well = plant_of(code).momentary(moments_us(MONDAY))
    lost = slice(ten, ten + 60)
    for quantity in (Q.VOLTAGE_L2_V, Q.CURRENT_L2_A, Q.ACTIVE_POWER_L2_KW):
        assert (shown[quantity][lost] == 0).all()
        np.testing.assert_array_equal(shown[quantity][:ten], well[quantity][:ten])
        np.testing.assert_array_equal(
            shown[quantity][ten + 60 :], well[quantity][ten + 60 :]
        )
    power_kw = shown[Q.ACTIVE_POWER_KW]
    assert (power_kw[lost] < 0.7 * well[Q.ACTIVE_POWER_KW][lost]).all()
    assert power_kw[lost] == pytest.approx(
        shown[Q.ACTIVE_POWER_L1_KW][lost] + shown[Q.ACTIVE_POWER_L3_KW][lost]
    )
    assert not np.isnan(shown[Q.POWER_FACTOR]).any()


@pytest.mark.parametrize("code", KEY_ACCOUNTS)
def test_what_is_stuck_on_shows_at_night(code) -> None:
    stuck = plant_of(code, fault(FaultKind.STUCK_ON, code, 1, 3))
    night_us = moments_us(MONDAY)[60:240]
    more_kw = stuck.power_kw(night_us) - plant_of(code).power_kw(night_us)
    peak_kw = plant_of(code).power_kw(moments_us(MONDAY, step_min=15)).max()
    # docs/methods.md: what is to be found must leave 6 x 0.04 of the daily peak.
    assert (more_kw > 0.24 * peak_kw).all()


@pytest.mark.parametrize("code", KEY_ACCOUNTS)
def test_an_outage_takes_the_largest_equipment(code) -> None:
    plant = plant_of(code, fault(FaultKind.OUTAGE, code, 11, 1))
    rated_kw = [e.rated_kw for e in plant.plan.equipment]
    by_equipment = plant.equipment_kw(plant.day(MONDAY))
    well = plant_of(code).equipment_kw(plant.day(MONDAY))
    largest, hour = int(np.argmax(rated_kw)), slice(11 * 60, 12 * 60)
    well[largest, hour] = 0
    np.testing.assert_array_equal(by_equipment, well)


@pytest.mark.parametrize("code", KEY_ACCOUNTS)
def test_an_overload_passes_the_contract(code) -> None:
    plant = plant_of(code, fault(FaultKind.OVERLOAD, code, 0, 24))
    quarter_us = moments_us(MONDAY, step_min=15)
    assert plant.power_kw(quarter_us).max() > KEY_ACCOUNTS[code].contract_kw
    assert plant_of(code).power_kw(quarter_us).max() < KEY_ACCOUNTS[code].contract_kw


def test_a_fault_at_another_account_changes_nothing() -> None:
    other = plant_of("steel", fault(FaultKind.OUTAGE, "office", 0, 24))
    assert other.faults == ()


@pytest.mark.parametrize(
    ("code", "workday_to_sunday"),
    [("steel", 5.0), ("office", 2.0), ("hospital", 1.05)],
)
def test_work_stops_on_sundays(code, workday_to_sunday) -> None:
    sunday = MONDAY - timedelta(days=1)
    assert CALENDAR.day_type(sunday) is DayType.HOLIDAY
    plant = plant_of(code)
    energy = [plant.power_kw(moments_us(day)).sum() for day in (MONDAY, sunday)]
    assert energy[0] / energy[1] > workday_to_sunday


def test_an_office_over_compensates_at_night_only() -> None:
    kvar = plant_of("office").momentary(moments_us(MONDAY))[Q.REACTIVE_POWER_KVAR]
    assert (kvar[60:300] < 0).all()
    assert (kvar[600:1000] > 0).all()


def test_a_day_of_25_hours_has_the_energy_of_25() -> None:
    calendar = SiteCalendar(ZoneInfo("Europe/Berlin"), "DE")
    plan = KEY_ACCOUNTS["data-centre"].plan()
    plant = Plant(plan, calendar, epoch=date(2026, 10, 24))
    day = plant.day(date(2026, 10, 25))
    assert day.minute.size == 25 * 60
    bounds = [utc_us(m) for m in calendar.day_bounds(date(2026, 10, 25))]
    energy = plant.energy(np.array(bounds))[0]
    kw = plant.equipment_kw(day).sum() / (25 * 60)
    assert energy[1] - energy[0] == pytest.approx(25 * kw)
    assert not math.isnan(kw)


def test_times_need_no_whole_minutes() -> None:
    plant = plant_of("steel")
    moment = datetime(2026, 9, 14, 3, 0, 30, 500, tzinfo=UTC)
    before, here, after = plant.energy(
        utc_us(moment) + np.array([-1_000_000, 0, 1_000_000])
    )[0]
    assert before < here < after
