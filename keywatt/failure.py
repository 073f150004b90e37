"""What a person is told of an error, and the exit code that goes with it."""

import errno
import sys

FAILED = 1
REFUSED = 2

# By name, because importing every room takes seconds: what was never imported cannot
# have been raised.
REFUSALS = (
    ("accounts.site", "SiteError"),
    ("accounts.tariff", "TariffError"),
    ("accounts.wall_clock", "WallClockError"),
    ("analytics.settlement.edited_values", "EditError"),
    ("analytics.settlement.ruleset", "RuleSetError"),
    ("keywatt.clock", "ClockError"),
    ("keywatt.settings", "SettingsError"),
    ("meters.profile", "ProfileError"),
    ("reports.completeness", "PeriodError"),
    ("reports.exchange.form", "ExchangeError"),
    ("reports.interval_trace", "TraceError"),
    ("reports.verdicts", "VerdictError"),
    ("simulators.simulator_error", "SimulatorError"),
    ("storage.bills", "BillError"),
    ("storage.import_undo", "UndoError"),
    ("storage.master", "UnknownAccountError"),
    ("storage.settlement_master", "EntryError"),
)
"""Something was asked for or entered that cannot be."""
FAILURES = (
    ("collector.journal.lock", "JournalError"),
    ("collector.journal.record", "NewerRecordError"),
    ("collector.counting.metrics", "MetricsError"),
    ("collector.modbus.probing", "ProbeError"),
    ("collector.mqtt.broker", "MqttError"),
    ("keywatt.demo.state", "DemoError"),
    ("keywatt.embedded", "EmbeddedError"),
    ("keywatt.pages", "PageError"),
    ("keywatt.postgres_programs", "BackupError"),
    ("keywatt.parts", "PartError"),
    ("storage.database", "DatabaseError"),
)
"""Something does not work just now."""


def explain(exc: Exception) -> tuple[str, int]:
    """Return one sentence for people and the exit code.

    Errors of the rooms are sentences already. One we did not foresee is named as the
    fault in Keywatt that it is.
    """
    if _is_one_of(exc, REFUSALS):
        return str(exc), REFUSED
    if _is_one_of(exc, FAILURES):
        return str(exc), FAILED
    if isinstance(exc, OSError) and exc.errno == errno.ENOSPC:
        text = f"The disk is full ({exc.filename or exc}): make room, then start again."
        return text, FAILED
    if isinstance(exc, OSError) and exc.filename is not None:
        return f"{exc.filename} cannot be used: {exc.strerror}.", FAILED
    what = " ".join(f"{type(exc).__name__}: {exc}".split())
    where = "KEYWATT_LOG_LEVEL=debug shows where"
    return f"This is a fault in Keywatt: {what} ({where}).", FAILED


def _is_one_of(exc: Exception, known: tuple[tuple[str, str], ...]) -> bool:
    loaded = (getattr(sys.modules.get(module), name, None) for module, name in known)
    return isinstance(exc, tuple(kind for kind in loaded if isinstance(kind, type)))
