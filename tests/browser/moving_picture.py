"""Film the README's moving picture: ``python tests/browser/moving_picture.py OUT.png STILL.png``.

The explorable "who shares my mean?" is touched as a reader would: a number is pushed, and each norm
is chosen in turn. OUT.png is an animated PNG; STILL.png, for who wants nothing to move, is its
moment that says most.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import click
import driver
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from normlab.plots import explore

WIDTH, HEIGHT, SCALE = 790, 352, 1.3
CLIP = {"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT}
COLOURS = 64
# Milliseconds: to read what is said, and for a step of the slider.
READ, STEP = 2600, 160
NORMS = ("LayerNorm, a whole sample", "LayerNorm, one position", "InstanceNorm", "GroupNorm")
PAGE = """<!DOCTYPE html><meta charset="utf-8"><title>Who shares my mean?</title><style>
body { font: 16px/1.45 "DejaVu Sans", Verdana, sans-serif; background: #fff; margin: 14px }
.nx { max-width: none !important }
</style>
"""


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("still", type=click.Path(dir_okay=False, path_type=Path))
def main(out: Path, still: Path) -> None:
    """Write the moving picture to OUT and the one that stands still to STILL."""
    with sync_playwright() as playwright:
        executable = driver.find_chromium(playwright)
        if executable is None:
            raise click.ClickException(driver.HOW_TO_GET_CHROMIUM)
        browser = driver.start_chromium(playwright, executable)
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SCALE
        )
        page.set_content(PAGE + explore.who_shares_my_mean()._repr_html_())
        frames = list(film(page))
        browser.close()
    pictures, times = zip(*frames, strict=True)
    # One palette for all, so that what stands still is the same in each frame.
    sheet = Image.new("RGB", (pictures[0].width, (1 + len(NORMS)) * pictures[0].height))
    for row, one in enumerate(pictures[-1 - len(NORMS) :]):
        sheet.paste(one, (0, row * one.height))
    palette = sheet.quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
    few = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in pictures]
    few[0].save(out, save_all=True, append_images=few[1:], duration=times, loop=0, optimize=True)
    few[times.index(READ, 1)].save(still, optimize=True)
    for path in (out, still):
        click.echo(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def film(page: Page) -> Iterator[tuple[Image.Image, int]]:
    """Touch the explorable; yield what is seen, and for how many milliseconds."""
    yield picture(page), READ
    push = page.locator("input[type=range]")
    for step in range(8):
        push.evaluate("""(it) => {
            it.value = +it.value + 1;
            it.dispatchEvent(new Event("input", { bubbles: true }));
        }""")
        yield picture(page), READ if step == 7 else STEP
    for norm in NORMS:
        page.get_by_label(norm, exact=True).check()
        page.mouse.move(0, 0)
        yield picture(page), READ


def picture(page: Page) -> Image.Image:
    """Return what the page shows."""
    return Image.open(io.BytesIO(page.screenshot(clip=CLIP))).convert("RGB")


if __name__ == "__main__":
    main()
