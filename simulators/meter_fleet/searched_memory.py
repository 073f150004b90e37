"""A light meter's load profile where it is searched: what was written to it, so far.

The records follow from the meter's load; only those that are shown are worked out. One
that ends while the meter's counters glitch is marked as bad.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from meters.encoding import DecodeError
from meters.layout import decode_time
from meters.load_memory import LogMemory, channels_of, encode_load_profile
from meters.load_profile import LogRecord
from meters.load_profile_form import LoadProfile
from meters.modbus_parts import TimeForm
from meters.modbus_profile import ModbusProfile
from meters.reading import utc_us
from simulators.meter_fleet.faults import Fault
from simulators.meter_fleet.meter import LightMeter
from simulators.meter_fleet.modbus_memory import newest_number, record_of

SEARCH_S = 0.002
"""For each newer record that is passed over: a minute for thirty thousand of them."""


@dataclass(slots=True)
class SearchedMemory:
    """The memory of one meter; empty where its type has none that is searched."""

    meter: LightMeter
    profile: ModbusProfile
    _written: dict[int, int] = field(default_factory=dict)
    _passed: int = 0
    """How often the next records were asked for."""

    @property
    def _log(self) -> LoadProfile | None:
        log = self.profile.load_profile
        return log if log is not None and log.is_searched else None

    def write(self, address: int, words: Sequence[int], at_ms: int) -> float | None:
        """Do what is written; return how long it takes, None if that is refused.

        Parameters
        ----------
        address : int
            First register.
        words : sequence of int
        at_ms : int
            When, in milliseconds since 1970 UTC.

        Returns
        -------
        float or None
            In seconds: a search answers only once it has found its record.

        """
        log = self._log
        if log is None or log.select is None or log.next is None:
            return None
        select = log.select
        searches = {select.address: select.time.words}
        searches |= {write.address: 1 for write in log.writes}
        chooses = {} if log.channels is None else {log.channels.address: 1}
        if {**searches, **chooses, log.next.address: 1}.get(address) != len(words):
            return None
        if address == select.address and not self._is_time(select.time, words):
            return None
        self._written |= dict(enumerate(words, address))
        if address == log.next.address:
            self._passed += words[0] == log.next.value
        elif address in searches:
            self._passed = 0
            newer = newest_number(self.meter, log, at_ms) - self._first(log, at_ms)
            return newer * SEARCH_S
        return 0.0

    def words(self, at_ms: int) -> Mapping[int, int]:
        """Return its registers at an instant, address to word."""
        log = self._log
        if log is None:
            return {}
        records = [record for _, record in self._shown(log, at_ms)]
        memory = LogMemory(
            records=records,
            total=self._first(log, at_ms) + 1,
            channels=channels_of(self.profile),
        )
        return encode_load_profile(self.profile, memory, self._written, self._passed)

    def given_in(self, at_ms: int, address: int, count: int) -> Iterator[LogRecord]:
        """Yield the records that a stretch of registers gives, bad ones left out.

        Each is given once, with its first channel, though it is whole only once every
        channel was read.
        """
        log = self._log
        if log is None or address > log.address or address + count < log.address + 1:
            return
        if log.channels is not None and self._written.get(log.channels.address, 1) != 1:
            return
        last = self._first(log, at_ms) - log.window * self._passed
        for number, record in self._shown(log, at_ms):
            if last - log.window < number <= last and not record.is_doubtful:
                yield record

    def _shown(self, log: LoadProfile, at_ms: int) -> Iterator[tuple[int, LogRecord]]:
        """Yield what was found and passed over, oldest first."""
        newest, first = newest_number(self.meter, log, at_ms), self._first(log, at_ms)
        least = max(
            0, newest - log.capacity + 1, first - log.window * (1 + self._passed)
        )
        for number in range(least, first + 1):
            record = record_of(self.meter, log, number)
            ended_ms = utc_us(record.measured_at) // 1000
            is_bad = self.meter.spell(Fault.COUNTER_GLITCH, ended_ms) is not None
            yield number, replace(record, is_doubtful=is_bad)

    def _first(self, log: LoadProfile, at_ms: int) -> int:
        """Return the number of the record that the search found; -1: there is none."""
        select = log.select
        if select is None:
            return -1
        unset = 0xFFFF
        words = [
            self._written.get(select.address + i, unset)
            for i in range(select.time.words)
        ]
        at = decode_time(self.profile, select.time, words)
        if at is None:
            return -1
        interval_ms = log.interval_s * 1000
        number = utc_us(at) // 1000 // interval_ms
        number -= self.meter.installed_ms // interval_ms + 1
        return max(-1, min(newest_number(self.meter, log, at_ms), number))

    def _is_time(self, form: TimeForm, words: Sequence[int]) -> bool:
        try:
            decode_time(self.profile, form, words)
        except DecodeError:
            return False
        return True
