"""What the plants of the demo are made of: one function a plant.

Sizes and habits are invented, after what plants of such sectors look like.
"""

from datetime import time

from accounts.calendar import DayType
from simulators.electrical import Supply
from simulators.noise import seed_of
from simulators.plants import Equipment, PlantPlan
from simulators.shapes import (
    EVERY_DAY,
    NOT_SUNDAYS,
    batches,
    cooling,
    daily_run,
    during,
    hours,
    steady,
    thermostat,
    two_peaks,
)
from simulators.weather import Climate

MEDIUM_VOLTAGE_V = 10_000 / 3**0.5
"""Phase to neutral of a 10 kV supply, as a meter with its ratio set shows it."""
_HALF_SATURDAYS = {DayType.WORKDAY: 1.0, DayType.SATURDAY: 0.5, DayType.HOLIDAY: 0.0}
_TEST_RUN = {DayType.WORKDAY: 0.12, DayType.SATURDAY: 0.0, DayType.HOLIDAY: 0.0}
_QUIET_WEEKENDS = {DayType.WORKDAY: 1.0, DayType.SATURDAY: 0.35, DayType.HOLIDAY: 0.2}


def _plan(
    code: str,
    full_load_kw: float,
    *equipment: Equipment,
    capacitor_kvar: float = 0.0,
    nominal_v: float = MEDIUM_VOLTAGE_V,
) -> PlantPlan:
    return PlantPlan(
        code=code,
        equipment=equipment,
        supply=Supply(
            nominal_v=nominal_v,
            full_load_kw=full_load_kw,
            unbalance=0.012,
            seed=seed_of(code, "supply"),
        ),
        capacitor_kvar=capacitor_kvar,
        climate=Climate(seed=seed_of("Shanghai")),
    )


def steel() -> PlantPlan:
    """Plan special steel: heats of two furnaces, rolling by day, Sundays off."""
    return _plan(
        "steel",
        5200,
        Equipment(
            name="Arc furnace 1",
            rated_kw=850,
            power_factor=0.86,
            shape=batches(90, levels=NOT_SUNDAYS),
        ),
        Equipment(
            name="Arc furnace 2",
            rated_kw=650,
            power_factor=0.86,
            shape=batches(60, levels=NOT_SUNDAYS),
        ),
        Equipment(
            name="Induction furnace",
            rated_kw=450,
            power_factor=0.92,
            shape=batches(45, levels=NOT_SUNDAYS),
        ),
        Equipment(
            name="Rolling line",
            rated_kw=1600,
            power_factor=0.82,
            shape=hours(time(7), time(20), levels=_HALF_SATURDAYS, resting=0.03),
            rests_at_night=True,
        ),
        Equipment(
            name="Scrap preheater",
            rated_kw=600,
            power_factor=0.98,
            shape=daily_run(time(8, 30), 90),
        ),
        Equipment(
            name="Dust extraction and cranes",
            rated_kw=420,
            power_factor=0.85,
            shape=hours(time(5, 30), time(22, 30), levels=NOT_SUNDAYS, resting=0.55),
        ),
        Equipment(
            name="Lighting and offices",
            rated_kw=130,
            power_factor=0.95,
            shape=hours(time(7, 30), time(19), resting=0.4),
            needs_all_phases=False,
        ),
        capacitor_kvar=650,
    )


def rolling_mill() -> PlantPlan:
    """Plan cold rolling in two shifts, the annealing furnace day and night."""
    return _plan(
        "rolling-mill",
        3600,
        Equipment(
            name="Rolling stands",
            rated_kw=1650,
            power_factor=0.83,
            shape=hours(time(6), time(22), levels=_HALF_SATURDAYS, resting=0.02),
            rests_at_night=True,
        ),
        Equipment(
            name="Annealing furnace",
            rated_kw=520,
            power_factor=0.99,
            shape=steady(0.75, wobble=0.12),
            needs_all_phases=False,
        ),
        Equipment(
            name="Coil pickling line",
            rated_kw=380,
            power_factor=0.88,
            shape=daily_run(time(9), 180),
        ),
        Equipment(
            name="Compressed air",
            rated_kw=260,
            power_factor=0.87,
            shape=hours(time(5, 30), time(22, 30), levels=NOT_SUNDAYS, resting=0.25),
        ),
        Equipment(
            name="Lighting and offices",
            rated_kw=110,
            power_factor=0.95,
            shape=hours(time(7), time(21), resting=0.35),
            needs_all_phases=False,
        ),
        capacitor_kvar=420,
    )


def cold_store() -> PlantPlan:
    """Plan frozen goods: compressors that follow the weather, defrosting every day."""
    return _plan(
        "cold-store",
        1300,
        Equipment(
            name="Compressor 1",
            rated_kw=130,
            power_factor=0.88,
            shape=thermostat(12, idle_c=-18, full_c=34),
        ),
        Equipment(
            name="Compressor 2",
            rated_kw=130,
            power_factor=0.88,
            shape=thermostat(14, idle_c=-16, full_c=35),
        ),
        Equipment(
            name="Compressor 3",
            rated_kw=130,
            power_factor=0.88,
            shape=thermostat(17, idle_c=-14, full_c=36),
        ),
        Equipment(
            name="Compressor 4",
            rated_kw=130,
            power_factor=0.88,
            shape=thermostat(21, idle_c=-12, full_c=37),
        ),
        Equipment(
            name="Blast freezer",
            rated_kw=330,
            power_factor=0.87,
            shape=hours(time(6), time(15), levels=NOT_SUNDAYS, wobble=0.05),
            rests_at_night=True,
        ),
        Equipment(
            name="Defrosting and pre-cooling",
            rated_kw=220,
            power_factor=0.97,
            shape=daily_run(time(17), 120, levels=EVERY_DAY),
        ),
        Equipment(
            name="Fans and lighting",
            rated_kw=90,
            power_factor=0.93,
            shape=hours(time(5), time(21), levels=EVERY_DAY, resting=0.6),
            needs_all_phases=False,
        ),
        capacitor_kvar=160,
    )


def fruit_depot() -> PlantPlan:
    """Plan fruit in controlled air: small compressors, packing by day."""
    return _plan(
        "fruit-depot",
        620,
        Equipment(
            name="Chiller 1",
            rated_kw=80,
            power_factor=0.86,
            shape=thermostat(11, idle_c=-6, full_c=33),
        ),
        Equipment(
            name="Chiller 2",
            rated_kw=80,
            power_factor=0.86,
            shape=thermostat(13, idle_c=-4, full_c=34),
        ),
        Equipment(
            name="Chiller 3",
            rated_kw=80,
            power_factor=0.86,
            shape=thermostat(16, idle_c=-2, full_c=35),
        ),
        Equipment(
            name="Packing lines",
            rated_kw=170,
            power_factor=0.84,
            shape=hours(
                time(7),
                time(17, 30),
                levels=NOT_SUNDAYS,
                resting=0.02,
                lunch=0.4,
            ),
            rests_at_night=True,
        ),
        Equipment(
            name="Pre-cooling tunnel",
            rated_kw=110,
            power_factor=0.89,
            shape=daily_run(time(10), 90, levels=EVERY_DAY),
        ),
        Equipment(
            name="Lighting",
            rated_kw=35,
            power_factor=0.96,
            shape=hours(time(6), time(19), levels=EVERY_DAY, resting=0.3),
            needs_all_phases=False,
        ),
        capacitor_kvar=40,
        nominal_v=230.0,
    )


def hospital() -> PlantPlan:
    """Plan a general hospital: a hump by day on a base that never sleeps."""
    return _plan(
        "hospital",
        2100,
        Equipment(
            name="Wards and intensive care",
            rated_kw=620,
            power_factor=0.95,
            shape=hours(time(6, 30), time(21), levels=EVERY_DAY, resting=0.72),
            needs_all_phases=False,
        ),
        Equipment(
            name="Theatres and imaging",
            rated_kw=580,
            power_factor=0.9,
            shape=hours(
                time(7, 45),
                time(17, 30),
                levels=_QUIET_WEEKENDS,
                resting=0.1,
                lunch=0.2,
                wobble=0.1,
            ),
            rests_at_night=True,
        ),
        Equipment(
            name="Chillers",
            rated_kw=520,
            power_factor=0.87,
            shape=cooling(from_c=8, full_c=36, least=0.18),
        ),
        Equipment(
            name="Laundry and sterilisation",
            rated_kw=190,
            power_factor=0.97,
            shape=daily_run(time(9), 120),
        ),
        Equipment(
            name="Pumps and ventilation",
            rated_kw=240,
            power_factor=0.86,
            shape=hours(time(6), time(20), levels=EVERY_DAY, resting=0.65),
        ),
        capacitor_kvar=220,
    )


def maternity() -> PlantPlan:
    """Plan a small hospital on low voltage."""
    return _plan(
        "maternity",
        560,
        Equipment(
            name="Wards",
            rated_kw=190,
            power_factor=0.95,
            shape=hours(time(6, 30), time(21, 30), levels=EVERY_DAY, resting=0.68),
            needs_all_phases=False,
        ),
        Equipment(
            name="Theatres and outpatients",
            rated_kw=140,
            power_factor=0.91,
            shape=hours(
                time(8),
                time(17),
                levels=_QUIET_WEEKENDS,
                resting=0.08,
                lunch=0.25,
                wobble=0.1,
            ),
            rests_at_night=True,
        ),
        Equipment(
            name="Air conditioning",
            rated_kw=120,
            power_factor=0.87,
            shape=cooling(from_c=10, full_c=35, least=0.2),
        ),
        Equipment(
            name="Kitchen and laundry",
            rated_kw=75,
            power_factor=0.98,
            shape=daily_run(time(10), 120, levels=EVERY_DAY),
        ),
        capacitor_kvar=45,
        nominal_v=230.0,
    )


def office() -> PlantPlan:
    """Plan an office tower; its capacitors over-compensate every night."""
    return _plan(
        "office",
        1700,
        Equipment(
            name="Offices",
            rated_kw=620,
            power_factor=0.94,
            shape=hours(
                time(8),
                time(19),
                levels=_QUIET_WEEKENDS,
                resting=0.14,
                lunch=0.16,
                wobble=0.06,
            ),
            needs_all_phases=False,
        ),
        Equipment(
            name="Air handling",
            rated_kw=420,
            power_factor=0.86,
            shape=hours(time(7), time(19, 30), levels=_QUIET_WEEKENDS, resting=0.05),
            rests_at_night=True,
        ),
        Equipment(
            name="Chillers",
            rated_kw=420,
            power_factor=0.87,
            shape=during(
                cooling(from_c=9, full_c=34, least=0.1),
                hours(time(7), time(19), levels=_QUIET_WEEKENDS, resting=0.1),
            ),
        ),
        Equipment(
            name="Chilled water storage",
            rated_kw=160,
            power_factor=0.9,
            shape=daily_run(time(9, 30), 120),
        ),
        Equipment(
            name="Lifts and lighting",
            rated_kw=130,
            power_factor=0.9,
            shape=hours(time(7), time(21), levels=_QUIET_WEEKENDS, resting=0.35),
            needs_all_phases=False,
        ),
        capacitor_kvar=210,
    )


def science_park() -> PlantPlan:
    """Plan laboratories and offices that work late."""
    return _plan(
        "science-park",
        1250,
        Equipment(
            name="Laboratories",
            rated_kw=360,
            power_factor=0.92,
            shape=hours(
                time(9),
                time(21, 30),
                levels=_QUIET_WEEKENDS,
                resting=0.38,
                ramp_min=120,
                lunch=0.08,
                wobble=0.08,
            ),
            needs_all_phases=False,
        ),
        Equipment(
            name="Clean-room ventilation",
            rated_kw=310,
            power_factor=0.85,
            shape=hours(time(8), time(20), levels=_QUIET_WEEKENDS, resting=0.08),
            rests_at_night=True,
        ),
        Equipment(
            name="Chillers",
            rated_kw=240,
            power_factor=0.87,
            shape=cooling(from_c=8, full_c=34, least=0.15),
        ),
        Equipment(
            name="Vehicle charging",
            rated_kw=120,
            power_factor=0.98,
            shape=daily_run(time(8, 30), 150),
        ),
        capacitor_kvar=120,
    )


def water_works() -> PlantPlan:
    """Plan drinking water: pumps follow the morning and the evening of a city."""
    return _plan(
        "water-works",
        2000,
        Equipment(
            name="Delivery pumps",
            rated_kw=1150,
            power_factor=0.86,
            shape=two_peaks(time(7, 30), time(19, 15), pumps=6),
        ),
        Equipment(
            name="Raw water lift",
            rated_kw=330,
            power_factor=0.85,
            shape=steady(0.85, wobble=0.03),
        ),
        Equipment(
            name="Filter backwash",
            rated_kw=560,
            power_factor=0.84,
            shape=hours(time(10), time(11, 30), levels=EVERY_DAY, ramp_min=15),
            rests_at_night=True,
        ),
        Equipment(
            name="Reservoir filling",
            rated_kw=360,
            power_factor=0.88,
            shape=daily_run(time(8), 180, levels=EVERY_DAY),
        ),
        Equipment(
            name="Treatment and control",
            rated_kw=95,
            power_factor=0.93,
            shape=steady(0.9),
            needs_all_phases=False,
        ),
        capacitor_kvar=330,
    )


def pumping_station() -> PlantPlan:
    """Plan a booster station of the same kind, smaller."""
    return _plan(
        "pumping-station",
        520,
        Equipment(
            name="Booster pumps",
            rated_kw=300,
            power_factor=0.86,
            shape=two_peaks(time(7), time(19, 45), pumps=4, least=0.2),
        ),
        Equipment(
            name="Tower filling",
            rated_kw=90,
            power_factor=0.87,
            shape=daily_run(time(18), 120, levels=EVERY_DAY),
        ),
        Equipment(
            name="Storm water pumps",
            rated_kw=150,
            power_factor=0.85,
            shape=hours(time(13), time(13, 45), levels=EVERY_DAY, ramp_min=10),
            rests_at_night=True,
        ),
        Equipment(
            name="Control and lighting",
            rated_kw=22,
            power_factor=0.95,
            shape=steady(0.9),
            needs_all_phases=False,
        ),
        capacitor_kvar=55,
        nominal_v=230.0,
    )


def data_centre() -> PlantPlan:
    """Plan servers all day and night, cooled after the weather."""
    return _plan(
        "data-centre",
        3000,
        Equipment(
            name="Server halls",
            rated_kw=1750,
            power_factor=0.98,
            shape=hours(time(9), time(23), levels=EVERY_DAY, resting=0.93, wobble=0.01),
            needs_all_phases=False,
        ),
        Equipment(
            name="Chillers",
            rated_kw=620,
            power_factor=0.88,
            shape=cooling(from_c=2, full_c=38, least=0.2),
        ),
        Equipment(
            name="Reserve chillers",
            rated_kw=800,
            power_factor=0.88,
            shape=hours(time(14), time(14, 45), levels=_TEST_RUN, ramp_min=10),
            rests_at_night=True,
        ),
        Equipment(
            name="Ice storage",
            rated_kw=240,
            power_factor=0.89,
            shape=daily_run(time(10), 120, levels=EVERY_DAY),
        ),
        Equipment(
            name="Ventilation and lighting",
            rated_kw=180,
            power_factor=0.9,
            shape=steady(0.9),
            needs_all_phases=False,
        ),
        capacitor_kvar=150,
    )
