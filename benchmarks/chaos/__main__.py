"""Break a site at random for as long as wanted, and check the ledger after each blow.

Real processes, killed with SIGKILL, on loopback only. The scenarios are those of the
short set in the tests, in random order and at a longer pace.

    python -m benchmarks.chaos --minutes 30 --json
"""

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.chaos.ground import site_folder
from benchmarks.chaos.scenarios import IN_TURN, LONG, SCENARIOS, SHORT, Scenario, run
from benchmarks.chaos.verdict import Verdict
from benchmarks.chaos.world import Size, World
from benchmarks.report import machine


def main() -> None:
    """Run and print; exit code 1 where a ledger did not hold."""
    known = [scenario.name for scenario in (*SCENARIOS.values(), *IN_TURN)]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))  # noqa: S311 - no secret
    parser.add_argument("--mqtt", type=int, default=200, help="meters that publish")
    parser.add_argument("--modbus", type=int, default=40, help="meters that are asked")
    parser.add_argument("--every", type=float, default=1.0, help="seconds")
    parser.add_argument("--only", choices=known, action="append", help="these alone")
    parser.add_argument("--short", action="store_true", help="at the tests' pace")
    parser.add_argument("--keep", type=Path, help="folder for logs and ledgers")
    given = parser.parse_args()
    size = Size(
        mqtt=given.mqtt, modbus=given.modbus, every_s=given.every, seed=given.seed
    )
    with site_folder(given.keep) as folder, World(folder, size) as world:
        rounds = list(_campaign(world, given))
        said = _said(world, given, rounds)
    print(json.dumps(said))
    raise SystemExit(0 if said["holds"] else 1)


def _said(
    world: World, given: argparse.Namespace, rounds: list[tuple[str, Verdict]]
) -> dict[str, object]:
    """Return what a script wants to know."""
    last = rounds[-1][1]
    return {
        "name": "chaos",
        "holds": all(verdict.holds for _, verdict in rounds),
        "rounds": len(rounds),
        "broken": [name for name, verdict in rounds if not verdict.holds],
        "scenarios": Counter(name for name, _ in rounds),
        "readings": asdict(last.reckoning),
        "repeated": last.repeated,
        "refused": last.refused,
        "kills": {
            "database": len(world.postgres.killed_us),
            "broker": len(world.broker.killed_us),
            "collector": world.collector_kills,
        },
        "commits_cut": world.line.cuts,
        "settings": {
            "minutes": given.minutes,
            "pace": "short" if given.short else "long",
            **asdict(world.size),
        },
        "server": "embedded PostgreSQL and Mosquitto, both with their data on disk",
        "machine": machine(),
    }


def _campaign(world: World, given: argparse.Namespace) -> Iterator[tuple[str, Verdict]]:
    """Yield what came of each scenario, until the time is over."""
    chance, until_s = random.Random(given.seed), time.monotonic() + given.minutes * 60  # noqa: S311
    pace = SHORT if given.short else LONG
    while True:
        for scenario in _order(given.only, chance):
            begun_s = time.monotonic()
            # The outage of a full minute once in a while; shorter ones find as much.
            outage_s = pace.outage_s * chance.choice((0.05, 0.1, 0.2, 1.0))
            mine = pace if given.short else replace(pace, outage_s=outage_s)
            verdict = run(scenario, world, mine, chance)
            if not given.json:
                word = "holds" if verdict.holds else "BROKEN"
                took_s = time.monotonic() - begun_s
                print(f"{word:6} {scenario.name:26} {took_s:5.0f} s  {verdict.told()}")
            yield scenario.name, verdict
            if time.monotonic() > until_s:
                return


def _order(only: list[str] | None, chance: random.Random) -> list[Scenario]:
    every = [s for s in (*SCENARIOS.values(), *IN_TURN) if s.can_run]
    wanted = [s for s in every if not only or s.name in only]
    if not wanted:
        raise SystemExit(f"{', '.join(only or ())} cannot be run by this Keywatt yet.")
    return chance.sample(wanted, len(wanted))


if __name__ == "__main__":
    main()
