"""Takes the pictures of a report in docs/workbench.md and docs/poc-guide.md, of the example in examples/poc:

    flashsight batch examples/poc/pictures --schema product --prompt "Describe the product" --out runs/first
    flashsight batch --from runs/first --preset product --out runs/second
    flashsight report runs/first runs/second --gold examples/poc/gold.xlsx --out zh.html
    flashsight report runs/first runs/second --gold examples/poc/gold.xlsx --language en --out en.html
    PYTHONPATH=src python scripts/report_screenshots.py zh.html en.html

Needs Chromium at /usr/bin/chromium and the `test` dependencies. Writes report-zh.png and report-en.png.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
SIZE = {"width": 980, "height": 900}
COLOURS = 128


def shoot(browser: Browser, report: Path, name: str, *, heading: str, height: int) -> None:
    """Keep what stands from a heading on."""
    page = browser.new_page(viewport={**SIZE, "height": height})
    page.goto(report.absolute().as_uri())
    page.get_by_role("heading", name=heading, exact=True).first.evaluate(
        "heading => { heading.scrollIntoView(); scrollBy(0, -24); }"
    )
    page.screenshot(path=PICTURES / name)
    page.close()
    with Image.open(PICTURES / name) as image:
        few = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(PICTURES / name, optimize=True)


def main() -> None:
    """Take both."""
    chinese, english = map(Path, sys.argv[1:3])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        shoot(browser, chinese, "report-zh.png", heading="看图模型概念验证报告", height=900)
        shoot(browser, english, "report-en.png", heading="Examples", height=1360)
        browser.close()


if __name__ == "__main__":
    main()
