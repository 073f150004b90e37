"""Feed the parsers with any bytes for as long as wanted, guided by their own branches.

    python -m benchmarks.fuzz --target payload|sparkplug|modbus --minutes 30 --json

With atheris (`pip install atheris`, where it has a wheel for this Python) the bytes are
led by the branches that they reach; without it, by chance, from the same seeds. The
first input that breaks a promise ends the run with code 1 and is kept in a file whose
path is printed; `--replay FILE` runs it again.
"""

import argparse
import importlib.util
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.fuzz_mutations import changed
from benchmarks.fuzz_targets import TARGETS, seeds, words
from benchmarks.report import machine


class Outcome(NamedTuple):
    """What a run found."""

    inputs: int
    branches: int | None
    """Reached, as far as that was counted."""
    crash: Path | None


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", choices=sorted(TARGETS), required=True)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0, help="the same gives the same")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--by-chance", action="store_true", help="without atheris")
    parser.add_argument("--replay", type=Path, help="a file that was found")
    given = parser.parse_args()
    if given.replay is not None:
        TARGETS[given.target](given.replay.read_bytes())
        return 0
    is_led = not given.by_chance and importlib.util.find_spec("atheris") is not None
    if not given.json and not is_led:
        print("Without atheris: inputs are made by chance.")
    begun = time.perf_counter()
    kept = Path(tempfile.mkdtemp(prefix=f"fuzz-{given.target}-"))
    run = led_by_branches if is_led else by_chance
    outcome = run(given.target, given.minutes * 60, given.seed, kept, given.json)
    seconds = time.perf_counter() - begun
    told = {
        "name": "fuzz",
        "target": given.target,
        "engine": "atheris" if is_led else "chance",
        "inputs": outcome.inputs,
        "seconds": round(seconds, 1),
        "inputs_per_s": round(outcome.inputs / seconds),
        "branches": outcome.branches,
        "crash": None if outcome.crash is None else str(outcome.crash),
        "machine": machine(),
    }
    print(json.dumps(told))
    return 0 if outcome.crash is None else 1


def led_by_branches(
    target: str,
    seconds: float,
    seed: int,
    kept: Path,
    is_quiet: bool,  # noqa: FBT001 - as the other engine
) -> Outcome:
    """Run atheris in a process of its own: it ends that when it is done."""
    corpus = kept / "corpus"
    corpus.mkdir()
    for number, one in enumerate(seeds(target)):
        (corpus / f"seed{number}").write_bytes(one)
    dictionary = kept / "words"
    lines = [f'"{_escaped(word)}"\n' for word in words(target) or [b"\xff\xff"]]
    dictionary.write_text("".join(lines))
    command = [
        *(sys.executable, "-m", "benchmarks.fuzz_atheris", target, str(corpus)),
        *(f"-max_total_time={max(1, round(seconds))}", f"-seed={seed or 1}"),
        *(f"-artifact_prefix={kept}/", f"-dict={dictionary}", "-max_len=8192"),
        *("-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"),
    ]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    said = ""
    for line in running.stderr or ():
        said += line
        if not is_quiet:
            print(line, end="", flush=True)
    running.wait()
    crash = next(iter(sorted(kept.glob("*-*"))), None)
    if running.returncode and crash is None:
        raise SystemExit(said[-2000:])
    inputs = re.findall(r"number_of_executed_units: (\d+)", said)
    branches = re.findall(r"cov: (\d+)", said)
    return Outcome(
        int(inputs[-1]) if inputs else 0,
        int(branches[-1]) if branches else None,
        crash,
    )


def _escaped(word: bytes) -> str:
    """Write bytes as libFuzzer reads them."""
    return "".join(
        chr(b) if 0x20 <= b < 0x7F and b not in b'"\\' else f"\\x{b:02X}" for b in word
    )


def by_chance(
    target: str,
    seconds: float,
    seed: int,
    kept: Path,
    is_quiet: bool,  # noqa: FBT001 - as the other engine
) -> Outcome:
    """Spoil what meters send, again and again."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    known, some_words = seeds(target), words(target) or [b"\xff\xff"]
    until, inputs = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        data = bytearray(changed(target, chance.choice(known), chance))
        for _ in range(chance.randrange(12) * chance.randrange(2)):
            _spoil(data, chance, some_words)
        inputs += 1
        try:
            TARGETS[target](bytes(data))
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is found
            crash = kept / f"crash-{inputs}"
            crash.write_bytes(data)
            if not is_quiet:
                print(f"{type(exc).__name__}: {exc}")
            return Outcome(inputs, None, crash)
    return Outcome(inputs, None, None)


def _spoil(data: bytearray, chance: random.Random, some_words: list[bytes]) -> None:
    """Change one place."""
    at = chance.randrange(len(data) + 1)
    match chance.randrange(5):
        case 0:
            data[at:at] = chance.randbytes(chance.randrange(1, 5))
        case 1:
            del data[at : at + chance.randrange(1, 9)]
        case 2 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case 3:
            data[at:at] = chance.choice(some_words)
        case _:
            end = chance.randrange(at, len(data) + 1)
            data[at:at] = data[at:end][:64]


if __name__ == "__main__":
    sys.exit(main())
