"""Seconds until an account's page says something, two years of data behind it.

From the address being asked for to the first meaningful paint, in Chromium without a
graphics card. Meaningful is: the account's name, its figures of today and today's load
within its expected band have been painted, the load as the picture that the interactive
chart covers later. The charts are timed besides: all four drawn.

"cold" is a browser that was never here, with nothing in its cache; "warm" the next page
view of the same browser. The value is the cold one; the baseline is the same page
view's first contentful paint, what Streamlit's own start costs before anything of ours.
The very first visit after the server's start is given too.

    python -m benchmarks.account_paint --json
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from benchmarks.account_page import CODE, NOW, fill
from benchmarks.report import Result, report
from benchmarks.servers import temporary_postgres
from dashboard.data import Source
from dashboard.launch import serve
from keywatt.settling.trial import settle_on_trial
from storage.database import connect, open_pool
from storage.health import load_server
from storage.migrate import migrate

CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
START_WITHIN_S = 60.0
# When each thing has been painted, in milliseconds since the navigation: a task that is
# queued within a frame runs after that frame.
WATCH = """
    window.seen = {};
    const marks = {
      name: 'h1',
      figures: '.kw-figures',
      picture: '.kw-first',
      today: '.st-key-card-today .main-svg .trace',
      load: '.st-key-card-load .main-svg .trace',
      typical: '.st-key-card-typical .main-svg .trace',
      duration: '.st-key-card-duration .main-svg .trace',
    };
    const found = new Set();
    new MutationObserver(() => {
      for (const [name, place] of Object.entries(marks)) {
        if (found.has(name) || !document.querySelector(place)) continue;
        found.add(name);
        requestAnimationFrame(() => {
          const {port1, port2} = new MessageChannel();
          port1.onmessage = () => { seen[name] = performance.now(); };
          port2.postMessage(null);
        });
      }
    }).observe(document, {childList: true, subtree: true});
"""
FIRST_PAINT = (
    "performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)[0]"
)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--serve", nargs=2, metavar=("URL", "PORT"), help=argparse.SUPPRESS
    )
    given = parser.parse_args()
    if given.serve:
        _serve(given.serve[0], int(given.serve[1]))
        return
    with temporary_postgres() as url:
        with connect(url, autocommit=True) as conn:
            migrate(conn)
            fill(conn, given.days)
            server = load_server(conn).version
        with dashboard(url) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=list(FLAGS)
            )
            page = f"{address}/account?account={CODE}&days={given.days}"
            visits = [_visits(browser, page) for _ in range(given.rounds + 1)]
            browser.close()
    (first_ever, _), *others = visits
    cold = _medians([cold for cold, _ in others])
    warm = _medians([warm for _, warm in others])
    if not given.json:
        print(
            f"Cold browser: meaningful after {cold.meaningful_s:.2f} s, all charts "
            f"after {cold.charts_s:.2f} s; warm: {warm.meaningful_s:.2f} s and "
            f"{warm.charts_s:.2f} s."
        )
    report(
        Result(
            name="account_paint",
            value=cold.meaningful_s,
            unit="s",
            baseline=cold.first_paint_s,
            settings={"days": given.days, "rounds": given.rounds},
            server=server,
            more={
                "cold_charts_s": round(cold.charts_s, 3),
                "warm_s": round(warm.meaningful_s, 3),
                "warm_first_paint_s": round(warm.first_paint_s, 3),
                "warm_charts_s": round(warm.charts_s, 3),
                "first_visit_s": round(first_ever.meaningful_s, 3),
                "load_average": round(os.getloadavg()[0], 1),
            },
        )
    )


class _Visit(NamedTuple):
    """What one page view took, from the address being asked for."""

    first_paint_s: float
    meaningful_s: float
    charts_s: float


def _medians(visits: Sequence[_Visit]) -> _Visit:
    return _Visit(*(statistics.median(each) for each in zip(*visits, strict=True)))


def _visits(browser: Browser, address: str) -> tuple[_Visit, _Visit]:
    """Look at a page as somebody who was never here, and once more."""
    person = browser.new_context(viewport={"width": 1366, "height": 768})
    person.add_init_script(WATCH)
    cold, warm = _visit(person, address), _visit(person, address)
    person.close()
    return cold, warm


def _visit(person: BrowserContext, address: str) -> _Visit:
    page = person.new_page()
    page.goto(address, wait_until="commit")
    page.wait_for_function(
        "() => Object.keys(window.seen).length == 7", timeout=120_000
    )
    seen, first = page.evaluate("window.seen"), page.evaluate(FIRST_PAINT)
    page.close()
    return _Visit(
        first_paint_s=first / 1000,
        meaningful_s=max(seen[part] for part in ("name", "figures", "picture")) / 1000,
        charts_s=max(seen.values()) / 1000,
    )


@contextmanager
def dashboard(url: str) -> Iterator[str]:
    """Serve the dashboard in a process of its own while the block lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "benchmarks.account_paint",
        "--serve",
        url,
        str(port),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _await_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def _await_port(port: int) -> None:
    until = time.monotonic() + START_WITHIN_S
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"The dashboard did not start within {START_WITHIN_S:.0f} s.")


def _serve(url: str, port: int) -> None:
    with open_pool(url) as pool:
        serve(
            Source(
                connect=pool.connection,
                now=lambda: NOW,
                settle_on_trial=settle_on_trial,
                user="benchmark",
            ),
            port=port,
        )


if __name__ == "__main__":
    main()
