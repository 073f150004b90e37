"""`keywatt simulate-fleet` and `keywatt check-fleet`, as a person calls them."""

import json
import subprocess
from pathlib import Path

import pytest

from simulators.meter_fleet.faults import Fault
from tests.fix_broker import free_port

HANDBOOK = Path(__file__).parents[2] / "docs" / "handbook" / "simulators.md"


def test_a_fleet_runs_its_time_and_its_ledger_is_checked(  # noqa: PLR0917 - fixtures
    keywatt_started, keywatt, tmp_path, plain_database, mosquitto, unique
) -> None:
    ledger = tmp_path / "given.parquet"
    running: subprocess.Popen[str] = keywatt_started(
        "simulate-fleet",
        *("--mqtt", "20", "--modbus", "4", "--every", "0.1s", "--for", "1s"),
        *("--prefix", f"F-{unique}-", "--base-port", str(free_port()), "--register"),
        *("--ledger", str(ledger), "--meters", str(tmp_path / "meters.csv"), "--json"),
        database_url=plain_database,
        broker_port=str(mosquitto.port),
    )
    said = json.loads(running.communicate(timeout=30)[0].splitlines()[-1])
    assert running.returncode == 0
    assert said["meters"] == {"modbus": 4, "mqtt": 20}
    assert said["given"]["mqtt"]["certain"] >= 20
    assert len((tmp_path / "meters.csv").read_text().splitlines()) == 25

    # Nobody collected: all of it is missing, and that is said.
    checked = keywatt("check-fleet", str(ledger), "--json", database_url=plain_database)
    found = json.loads(checked.out)
    assert checked.code == 1
    assert not found["holds"]
    assert found["missing"] == said["given"]["mqtt"]["certain"]
    shown = keywatt("check-fleet", str(ledger), database_url=plain_database)
    assert "The ledger is broken." in shown.out
    assert "was given, but is not stored" in shown.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--fault", "lazy"), "There is no fault 'lazy'"),
        (("--every", "soon"), "no length of time"),
        (("--every", "0"), "--every must be longer"),
        (("--since", "2026-01-01T00:00:00"), "no past moment with a zone"),
        (("--since", "3026-01-01T00:00:00Z"), "no past moment with a zone"),
        (("--framing", "ascii"), "--framing is tcp or rtu"),
        (("--fault", "broker-restart"), "needs --restart-broker"),
        (("--fault", "dead@FQ99999"), "There is no meter FQ99999"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(keywatt, arguments, said) -> None:
    answer = keywatt("simulate-fleet", "--mqtt", "0", "--modbus", "1", *arguments)
    assert answer.code == 2
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_every_fault_is_listed_here_and_in_the_handbook(keywatt) -> None:
    listed = json.loads(keywatt("simulate-fleet", "--faults", "--json").out)
    assert set(listed) == set(Fault)
    table = [
        line
        for line in HANDBOOK.read_text("utf-8").splitlines()
        if line.startswith("| `")
    ]
    in_book = {}
    for line in table:
        name, peers, over, does, *_ = (cell.strip(" `") for cell in line.split("|")[1:])
        if peers.isdigit():
            in_book[name] = (int(peers), over, does)
    assert in_book == {
        name: (
            kind["peers_line"],
            ", ".join(kind["transports"]) or "broker",
            kind["does"],
        )
        for name, kind in listed.items()
    }
    plain = keywatt("simulate-fleet", "--faults").out
    assert all(name in plain for name in listed)
