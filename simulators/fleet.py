"""The demo's key accounts: who they are, which meters they have, what they run.

All of it is invented, the tariff's prices too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from accounts.account import Sector
from accounts.calendar import SiteCalendar
from accounts.site import (
    ModbusConnection,
    MqttConnection,
    Site,
    SiteAccount,
    SiteMeter,
    SitePoint,
    SiteProcess,
)
from accounts.tariff import Prices, Tariff
from meters.profile import load_profile
from meters.quantity import REGISTERS
from simulators import demo_plants
from simulators.faults import Fault
from simulators.noise import seed_of, uniform_one
from simulators.plant_meter import PlantMeter
from simulators.plants import Plant, PlantPlan

ZONE = ZoneInfo("Asia/Shanghai")
COUNTRY = "CN"
WANG, LIN = "Wang Yue", "Lin Jianguo"
_TARIFF = Tariff(
    code="two-part-10kv",
    name="Large industry and commerce, two-part, 10 kV",
    currency="CNY",
    price_per_kwh=Prices(
        valley=Decimal("0.30"), flat=Decimal("0.60"), peak=Decimal("0.90")
    ),
    valley_hours=("00:00-08:00",),
    peak_hours=("08:00-12:00", "17:00-21:00"),
    demand_price_per_kw_month=Decimal("36.1"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyAccount:
    """One account of the demo."""

    name: str
    sector: Sector
    manager: str
    contract_kw: float
    serial: str
    profile: str
    plan: Callable[[], PlantPlan]
    process: SiteProcess
    gateway: str | None = None
    """Modbus only: which port it is behind."""
    unit: int = 1


def _process(
    name: str,
    power_kw: float,
    start: time,
    duration_min: int,
    between: tuple[time, time] = (time(0), time(0)),
) -> SiteProcess:
    earliest, latest = between
    return SiteProcess(
        name=name,
        power_kw=power_kw,
        duration_min=duration_min,
        usual_start=start,
        earliest_start=earliest,
        latest_end=latest,
    )


KEY_ACCOUNTS: Mapping[str, KeyAccount] = {
    "steel": KeyAccount(
        name="Hongda Special Steel",
        sector=Sector.STEEL,
        manager=WANG,
        contract_kw=5200.0,
        serial="SE-315501",
        profile="schneider-iem3155",
        gateway="steel",
        plan=demo_plants.steel,
        process=_process("Scrap preheater", 600.0, time(8, 30), 90),
    ),
    "rolling-mill": KeyAccount(
        name="Jiangnan Rolling Mill",
        sector=Sector.STEEL,
        manager=WANG,
        contract_kw=3300.0,
        serial="CG-340117",
        profile="carlo-gavazzi-em340",
        gateway="rolling-mill",
        plan=demo_plants.rolling_mill,
        process=_process("Coil pickling line", 380.0, time(9), 180),
    ),
    "cold-store": KeyAccount(
        name="Blue Harbour Cold Store",
        sector=Sector.COLD_STORE,
        manager=WANG,
        contract_kw=1100.0,
        serial="CG-340231",
        profile="carlo-gavazzi-em340",
        gateway="harbour",
        unit=11,
        plan=demo_plants.cold_store,
        process=_process("Defrosting and pre-cooling", 220.0, time(17), 120),
    ),
    "fruit-depot": KeyAccount(
        name="Orchard Lane Fruit Depot",
        sector=Sector.COLD_STORE,
        manager=LIN,
        contract_kw=600.0,
        serial="EA-630412",
        profile="eastron-sdm630",
        gateway="harbour",
        unit=12,
        plan=demo_plants.fruit_depot,
        process=_process("Pre-cooling tunnel", 110.0, time(10), 90),
    ),
    "hospital": KeyAccount(
        name="Riverside General Hospital",
        sector=Sector.HOSPITAL,
        manager=LIN,
        contract_kw=2000.0,
        serial="SE-315544",
        profile="schneider-iem3155",
        gateway="hospital",
        plan=demo_plants.hospital,
        process=_process("Laundry and sterilisation", 190.0, time(9), 120),
    ),
    "water-works": KeyAccount(
        name="North Lake Water Works",
        sector=Sector.WATER_WORKS,
        manager=WANG,
        contract_kw=2300.0,
        serial="SE-315578",
        profile="schneider-iem3155",
        gateway="water-works",
        plan=demo_plants.water_works,
        process=_process("Reservoir filling", 360.0, time(8), 180),
    ),
    "maternity": KeyAccount(
        name="Lakeview Maternity Hospital",
        sector=Sector.HOSPITAL,
        manager=LIN,
        contract_kw=520.0,
        serial="KW-1001",
        profile="keywatt-json",
        plan=demo_plants.maternity,
        process=_process("Kitchen and laundry", 75.0, time(10), 120),
    ),
    "office": KeyAccount(
        name="Century Tower",
        sector=Sector.OFFICE,
        manager=LIN,
        contract_kw=1750.0,
        serial="KW-1002",
        profile="keywatt-json",
        plan=demo_plants.office,
        process=_process("Chilled water storage", 160.0, time(9, 30), 120),
    ),
    "science-park": KeyAccount(
        name="Cedar Science Park",
        sector=Sector.OFFICE,
        manager=LIN,
        contract_kw=1000.0,
        serial="KW-1003",
        profile="keywatt-json",
        plan=demo_plants.science_park,
        process=_process("Vehicle charging", 120.0, time(8, 30), 150),
    ),
    "pumping-station": KeyAccount(
        name="East Gate Pumping Station",
        sector=Sector.WATER_WORKS,
        manager=WANG,
        contract_kw=450.0,
        serial="KW-1004",
        profile="keywatt-json",
        plan=demo_plants.pumping_station,
        process=_process("Tower filling", 90.0, time(18), 120),
    ),
    "data-centre": KeyAccount(
        name="Magpie Data Centre",
        sector=Sector.DATA_CENTRE,
        manager=LIN,
        contract_kw=2700.0,
        serial="KW-1005",
        profile="keywatt-json",
        plan=demo_plants.data_centre,
        process=_process("Ice storage", 240.0, time(10), 120),
    ),
}


def gateway_names() -> list[str]:
    """Name what needs a TCP port of its own, in a fixed order."""
    named = (account.gateway for account in KEY_ACCOUNTS.values())
    return list(dict.fromkeys(name for name in named if name is not None))


def ports_from(base_port: int) -> dict[str, int]:
    """Give each gateway a port, counting from the base."""
    return {name: base_port + at for at, name in enumerate(gateway_names())}


def demo_calendar() -> SiteCalendar:
    """Return the calendar that all accounts of the demo share."""
    return SiteCalendar(ZONE, COUNTRY)


def demo_site(
    *,
    epoch: date,
    host: str,
    ports: Mapping[str, int],
    poll_every_s: float = 10.0,
) -> Site:
    """Describe the accounts as a person would enter them.

    Parameters
    ----------
    epoch : date
        Local day on which all meters were installed.
    host : str
        Where the simulated Modbus meters listen.
    ports : mapping of str to int
        Port of each of `gateway_names`.
    poll_every_s : float
        How often they are to be asked. [s]

    """
    installed_at = demo_calendar().day_bounds(epoch)[0]

    def meter_of(account: KeyAccount) -> SiteMeter:
        connection: ModbusConnection | MqttConnection = MqttConnection()
        if account.gateway is not None:
            connection = ModbusConnection(
                host=host,
                port=ports[account.gateway],
                unit=account.unit,
                poll_every_s=poll_every_s,
            )
        return SiteMeter(
            serial=account.serial,
            profile=account.profile,
            connection=connection,
            installed_at=installed_at,
        )

    return Site(
        tariffs=(_TARIFF,),
        accounts=tuple(
            SiteAccount(
                code=code,
                name=account.name,
                sector=account.sector,
                time_zone=ZONE,
                country=COUNTRY,
                manager=account.manager,
                tariff=_TARIFF.code,
                points=(
                    SitePoint(
                        name="Main supply",
                        contract_demand_kw=account.contract_kw,
                        meters=(meter_of(account),),
                        processes=(account.process,),
                    ),
                ),
            )
            for code, account in KEY_ACCOUNTS.items()
        ),
    )


def demo_meters(
    *,
    epoch: date,
    now: Callable[[], datetime],
    faults: Sequence[Fault] = (),
    seed: int = 0,
    on_read: Callable[[str], None] = lambda _: None,
) -> dict[str, PlantMeter]:
    """Make the meters of all accounts, by account code.

    Parameters
    ----------
    epoch : date
        Local day with which the plants begin; the same at every start of a demo, or its
        registers would jump.
    now : callable
        The time the meters live in.
    faults : sequence of Fault
        Past ones included, for what they did to the registers.
    seed : int
        Another one makes other noise.
    on_read : callable
        Called with the account's code for each reading that was given whole.

    """
    calendar = demo_calendar()

    def make(code: str, account: KeyAccount) -> PlantMeter:
        plant = Plant(account.plan(), calendar, epoch=epoch, seed=seed, faults=faults)
        opening = {
            register: round(
                40_000 * (1 + uniform_one(seed_of(code, register, seed))), 3
            )
            for register in REGISTERS[:1]
        }
        return PlantMeter(
            serial=account.serial,
            profile=load_profile(account.profile),
            plant=plant,
            opening=opening,
            now=now,
            on_read=lambda: on_read(code),
        )

    return {code: make(code, account) for code, account in KEY_ACCOUNTS.items()}
