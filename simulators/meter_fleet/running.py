"""Run a whole fleet: ports opened, lines to the broker kept, faults at their time.

Errors: `SimulatorError`, one sentence: a port that is taken, a broker that refuses.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack

from meters.meter import Transport
from meters.profile import ModbusProfile
from simulators.meter_fleet.fault_request import FleetFaultError
from simulators.meter_fleet.faults import Fault
from simulators.meter_fleet.ledger import Ledger, Standing
from simulators.meter_fleet.meter import LightMeter
from simulators.meter_fleet.modbus_port import FleetPort, NowMs
from simulators.meter_fleet.modbus_unit import FleetUnit
from simulators.meter_fleet.mqtt_frames import Login, Will
from simulators.meter_fleet.mqtt_line import BrokerPlace, Message, MqttLine
from simulators.meter_fleet.mqtt_meters import MqttMeters
from simulators.meter_fleet.plan import FleetPlan, make_fleet
from simulators.meter_fleet.report import FleetReport, FleetRun, Progress
from simulators.meter_fleet.strikes import strike_all
from simulators.simulator_error import SimulatorError

_TICK_S = 0.01


async def run_meter_fleet(run: FleetRun, stop: asyncio.Event) -> FleetReport:
    """Let a fleet be read until `stop` is set; return what it gave."""
    fleet = make_fleet(run.plan, run.faults)
    with Ledger(fleet, run.ledger) as ledger:
        work = _Work(run, fleet, ledger)
        try:
            await work.run(stop)
        except* SimulatorError as group:
            raise group.exceptions[0] from None
    return work.report()


class _Work:
    """A fleet while it runs."""

    def __init__(
        self, run: FleetRun, fleet: Sequence[LightMeter], ledger: Ledger
    ) -> None:
        self._run, self._fleet, self._ledger = run, fleet, ledger
        meters = [meter for meter in fleet if meter.transport is Transport.MQTT]
        self._wills = {m.index: m for m in meters if _has_will(m)}
        self._ports: list[FleetPort] = []
        self._line_of = dict(self._divide(meters)) if run.broker else {}
        self._lines = list(dict.fromkeys(self._line_of.values()))
        self._unsent = 0
        self._publishing = MqttMeters(
            meters if run.broker else [],
            self._line_of,
            ledger,
            start_ms=run.plan.start_ms,
            every_ms=run.plan.every_ms,
            batch=run.batch,
            seed=run.plan.seed,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until told to stop, then wait for what is on its way."""
        async with AsyncExitStack() as open_ports:
            run, ledger = self._run, self._ledger
            for port in fleet_ports(run.plan, self._fleet, run.now_ms, ledger):
                self._ports.append(await open_ports.enter_async_context(port))
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(line.keep(self._greeting(line)), name="line")
                    for line in self._lines
                ]
                await _until_connected(self._lines, stop)
                self._publishing.begin(self._run.now_ms())
                self._run.on_ready()
                tasks.append(group.create_task(self._strike(), name="faults"))
                await self._publish(stop)
                await self._drain()
                for task in tasks:
                    task.cancel()
            self._run.on_tick(self._progress())

    def report(self) -> FleetReport:
        """Return what became of it."""
        summary, fleet = self._ledger.summary(), self._fleet
        return FleetReport(
            meters={str(t): sum(m.transport is t for m in fleet) for t in Transport},
            given=summary.given,
            withheld=summary.withheld,
            requests=sum(port.requests for port in self._ports),
            messages=self._publishing.published,
            unsent=self._unsent,
            forgotten=sum(line.forgotten for line in self._lines),
            missed=self._publishing.missed,
        )

    def _progress(self) -> Progress:
        return Progress(
            published=self._publishing.published,
            asked=sum(port.requests for port in self._ports),
            unconfirmed=sum(line.unconfirmed for line in self._lines),
        )

    # -- MQTT

    def _divide(self, meters: Sequence[LightMeter]) -> Iterator[tuple[int, MqttLine]]:
        """Yield which meter publishes over which line."""
        run, place = self._run, self._run.broker
        if place is None:
            raise SimulatorError("Meters that publish need a broker.")
        shared = [
            self._line(place, Login(client_id=f"{run.plan.prefix}-meters-{number + 1}"))
            for number in range(max(1, min(run.lines, len(meters))))
        ]
        for number, meter in enumerate(meters):
            if meter.index in self._wills:
                will = _will(meter)
                yield (
                    meter.index,
                    self._line(place, Login(client_id=meter.serial, will=will)),
                )
            else:
                yield meter.index, shared[number % len(shared)]

    def _line(self, place: BrokerPlace, login: Login) -> MqttLine:
        return MqttLine(place, login, self._was_confirmed)

    def _was_confirmed(self, message: Message) -> None:
        now_ms = self._run.now_ms()
        for given in message.given:
            self._ledger.enter(given._replace(given_ms=now_ms), Standing.CERTAIN)

    def _greeting(self, line: MqttLine) -> Callable[[], None]:
        """Return what is done at each connection: who has a will says it is online."""
        will = line.will
        if will is None:
            return lambda: None
        online = Message(will.topic, will.undone, retain=True)

        def greet() -> None:
            line.post(online)
            line.flush()

        return greet

    async def _publish(self, stop: asyncio.Event) -> None:
        """Publish what is due until told to stop."""
        while not stop.is_set():
            more = self._publishing.publish_due(self._run.now_ms())
            self._run.on_tick(self._progress())
            await asyncio.sleep(0 if more else _TICK_S)

    async def _drain(self) -> None:
        """Wait for confirmations; what is not confirmed then stays in doubt."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._run.drain_s):
                for line in self._lines:
                    await line.all_confirmed()
        now_ms = self._run.now_ms()
        for line in self._lines:
            sent, waiting = line.give_up()
            for message in sent:
                for given in message.given:
                    doubtful = given._replace(given_ms=now_ms)
                    self._ledger.enter(doubtful, Standing.DOUBTFUL)
            self._unsent += sum(len(message.given) for message in waiting)
            line.close()
        self._unsent += self._publishing.kept

    async def _strike(self) -> None:
        await strike_all(self._run, self._wills, self._line_of)


def fleet_ports(
    plan: FleetPlan, fleet: Sequence[LightMeter], now_ms: NowMs, ledger: Ledger
) -> Iterator[FleetPort]:
    """Yield the ports of the meters that are asked, not opened yet."""
    behind = defaultdict[tuple[str, int], list[LightMeter]](list)
    for meter in fleet:
        if meter.place is not None:
            behind[meter.place.host, meter.place.port].append(meter)
    for (host, port), meters in behind.items():
        yield FleetPort(
            [_unit(meter, ledger) for meter in meters],
            host=host,
            port=port,
            kind=plan.framing,
            now_ms=now_ms,
            ledger=ledger,
            seed=plan.seed + port,
        )


async def _until_connected(lines: Sequence[MqttLine], stop: asyncio.Event) -> None:
    """Wait for all lines: a fleet that is ready can publish."""
    while not stop.is_set() and not all(  # noqa: ASYNC110 - of many lines
        line.is_connected for line in lines
    ):
        await asyncio.sleep(_TICK_S)


def _has_will(meter: LightMeter) -> bool:
    return any(spell.fault is Fault.LAST_WILL for spell in meter.spells)


def _will(meter: LightMeter) -> Will:
    """Return what the broker says for a meter that vanished, as its profile has it."""
    profile = meter.profile
    presence = None if isinstance(profile, ModbusProfile) else profile.presence
    if presence is None:
        raise FleetFaultError(f"Meter {meter.serial} has no last will.")
    return Will(
        topic=presence.topic.replace("{serial}", meter.serial),
        payload=presence.offline.encode(),
        undone=presence.online.encode(),
    )


def _unit(meter: LightMeter, ledger: Ledger) -> tuple[int, FleetUnit]:
    if meter.place is None or not isinstance(meter.profile, ModbusProfile):
        raise TypeError(f"{meter.serial} is not asked")
    return meter.place.unit, FleetUnit(meter, meter.profile, ledger)
