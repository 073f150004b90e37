"""Measured claims: `python -m benchmarks.NAME --json`."""

import os

# Of small matrices, threads make several times the work; and figures are of one core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
