"""One target under atheris: `python -m benchmarks.fuzz_atheris TARGET [libFuzzer…]`."""

import sys

import atheris


def main() -> None:
    """Instrument what is fuzzed, and begin; atheris ends the process."""
    with atheris.instrument_imports(include=["meters", "collector"]):
        from benchmarks.fuzz_targets import TARGETS  # noqa: PLC0415 - instrumented

    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
