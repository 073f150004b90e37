"""Seconds until a browser shows an account's figures, two years of data behind them.

From the address being asked for to the account's figures of today being in the page, in
Chromium without a graphics card. The baseline is the same load's first contentful
paint: what Streamlit's own start costs before anything of ours.

    python -m benchmarks.account_paint --json
"""

import argparse
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from benchmarks.account_page import CODE, NOW, fill
from benchmarks.report import Result, report
from benchmarks.servers import temporary_postgres
from dashboard.data import Source
from dashboard.launch import serve
from storage.database import connect, open_pool
from storage.health import load_server
from storage.migrate import migrate

CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
START_WITHIN_S = 60.0
# When each thing first stands in the page, in milliseconds since the navigation.
WATCH = """
    window.seen = {};
    const marks = {
      figures: '[class*=st-key-figures-today] [data-testid=stMetricValue]',
      charts: '.st-key-card-duration .main-svg',
    };
    new MutationObserver(() => {
      for (const [name, place] of Object.entries(marks))
        if (!(name in seen) && document.querySelector(place))
          seen[name] = performance.now();
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
        with _dashboard(url) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=list(FLAGS)
            )
            page = f"{address}/account?account={CODE}&days={given.days}"
            loads = [_load(browser, page) for _ in range(given.rounds + 1)][1:]
            browser.close()
    figures, charts, first = (
        statistics.median(each) for each in zip(*loads, strict=True)
    )
    if not given.json:
        print(f"Figures after {figures:.2f} s, all charts after {charts:.2f} s.")
    report(
        Result(
            name="account_paint",
            value=figures,
            unit="s",
            baseline=first,
            settings={"days": given.days, "rounds": given.rounds},
            server=server,
            more={"all_charts_s": round(charts, 3)},
        )
    )


def _load(browser: Browser, address: str) -> tuple[float, float, float]:
    """Open a page in a fresh tab: seconds to figures, to all charts, to first paint."""
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.add_init_script(WATCH)
    page.goto(address, wait_until="commit")
    page.wait_for_function("() => window.seen.charts", timeout=120_000)
    seen, first = page.evaluate("window.seen"), page.evaluate(FIRST_PAINT)
    page.close()
    return seen["figures"] / 1000, seen["charts"] / 1000, first / 1000


@contextmanager
def _dashboard(url: str) -> Iterator[str]:
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
            Source(connect=pool.connection, now=lambda: NOW, user="benchmark"),
            port=port,
        )


if __name__ == "__main__":
    main()
