"""One target under atheris: `python -m benchmarks.fuzz_atheris TARGET [libFuzzer…]`."""

import random
import sys

import atheris


def main() -> None:
    """Instrument what is fuzzed, and begin; atheris ends the process."""
    with atheris.instrument_imports(include=["meters", "collector"]):
        from benchmarks.fuzz_mutations import changed  # noqa: PLC0415 - instrumented
        from benchmarks.fuzz_targets import TARGETS  # noqa: PLC0415 - instrumented

    name = sys.argv.pop(1)

    def mutate(data: bytes, most_bytes: int, seed: int) -> bytes:
        """Change the form's content, or any byte."""
        chance = random.Random(seed)  # noqa: S311 - no secret
        if chance.randrange(2):
            return changed(name, bytes(data), chance)[:most_bytes]
        mutated: bytes = atheris.Mutate(data, min(len(data) + 64, most_bytes))
        return mutated

    atheris.Setup(sys.argv, TARGETS[name], custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
