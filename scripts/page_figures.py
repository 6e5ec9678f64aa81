"""Measures the page in Chromium around a backend that says what it is told to: paint, bytes, layout shift, frames.

    PYTHONPATH=src:. python scripts/page_figures.py

Needs Chromium at /usr/bin/chromium and the `test` dependencies. Prints a table for docs/performance.md.
"""

from __future__ import annotations

import statistics
import sys
from typing import Any

import structlog
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.server.scripted import saying
from tests.ui.house import PageHouse, pieces
from tests.ui.pictures import choose, file

NUM_VISITS = 7
NUM_TOKENS, TOKENS_A_PIECE, PIECE_SECONDS = 2000, 2, 0.005
WORDS = ["红", "色", "的", "杯", "子", "，", "。", " mug", " **with**", " `handle`", " 128", "！"]
BYTES = """["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
  .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
WATCH = """() => {
  window.gaps = [];
  window.shift = 0;
  let last = performance.now();
  const tick = (now) => { window.gaps.push(now - last); last = now; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => (window.shift += entry.value)))
    .observe({ type: "layout-shift" });
}"""


def answer(*, paragraphs: bool) -> list[str]:
    """The tokens of an answer; without paragraphs it is one block, the worst case of drawing Markdown as it grows."""
    return ["\n\n" if paragraphs and index % 90 == 89 else WORDS[index * 7 % len(WORDS)] for index in range(NUM_TOKENS)]


def visit(browser: Browser, house: PageHouse, **options: Any) -> Page:
    """A page of its own, with an empty cache."""
    page = browser.new_context(viewport={"width": 1366, "height": 768}, **options).new_page()
    page.goto(house.base, wait_until="networkidle")
    expect(page.locator("#dot")).to_have_attribute("data-state", "ready")
    return page


def paints(browser: Browser, house: PageHouse, locale: str) -> tuple[list[float], int]:
    """Milliseconds to the first paint with content of each visit, and the bytes of one."""
    found: list[float] = []
    total = 0
    for _ in range(NUM_VISITS):
        page = visit(browser, house, locale=locale)
        found.append(page.evaluate(PAINT))
        total = page.evaluate(BYTES)
        page.context.close()
    return found, total


def stream(browser: Browser, house: PageHouse, tokens: list[str]) -> tuple[float, float, float]:
    """Frames a second, the longest frame in milliseconds and the layout shift while an answer is written."""
    page = visit(browser, house, locale="zh-CN", reduced_motion="reduce")
    choose(page, file())
    script: list[Any] = [1.0]
    for at in range(0, len(tokens), TOKENS_A_PIECE):
        script += [*pieces(tokens[at : at + TOKENS_A_PIECE]), PIECE_SECONDS]
    house.says(*script, *saying("。"))
    page.click("#ask")
    page.wait_for_timeout(500)
    page.evaluate(WATCH)
    expect(page.locator("#ask")).to_be_enabled(timeout=120_000)
    gaps: list[float] = page.evaluate("window.gaps.slice(1)")
    shift: float = page.evaluate("window.shift")
    page.context.close()
    return 1000 * len(gaps) / sum(gaps), max(gaps), shift


def main() -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    house = PageHouse()
    house.open()
    house.start()
    rows: list[tuple[str, str]] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        visit(browser, house).context.close()
        for locale in ("zh-CN", "en-GB"):
            times, num_bytes = paints(browser, house, locale)
            median = statistics.median(times)
            rows.append(
                (f"first paint, {locale}, median and worst of {NUM_VISITS}", f"{median:.0f} · {max(times):.0f} ms")
            )
        rows.append(("bytes in all", f"{num_bytes / 1000:.0f} kB"))
        for name, paragraphs in (("paragraphs", True), ("one block", False)):
            rate, longest, shift = stream(browser, house, answer(paragraphs=paragraphs))
            told = f"{rate:.1f} frames/s, longest {longest:.0f} ms, layout shift {shift:.3g}"
            rows.append((f"{NUM_TOKENS} tokens streamed, {name}", told))
        browser.close()
    house.stop()
    sys.stdout.write("| the page in Chromium | |\n| --- | --- |\n")
    sys.stdout.writelines(f"| {name} | {value} |\n" for name, value in rows)


if __name__ == "__main__":
    main()
