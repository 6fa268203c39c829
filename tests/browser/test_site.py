"""The course's site, page by page, in a browser: built with ``make site`` and served from here."""

import functools
import html
import http.server
import re
import threading
import tomllib
from pathlib import Path
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from driver import ROOT

from normlab.exercises.finding import notebooks, tasks_of

SITE = ROOT / "build" / "site"
# Sphinx's own listings have nothing of the course in them.
PAGES = sorted(
    str(path.relative_to(SITE))
    for path in SITE.rglob("*.html")
    if "_static" not in path.parts and path.name not in {"genindex.html", "py-modindex.html"}
)
LESSONS = [page for page in PAGES if page.startswith("notebooks/")]
DESK = {"width": 1280, "height": 900}
LEAST_CONTRAST = 4.5  # WCAG 2.2, AA, for text of any size
CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")

# A long lesson has eight thousand coloured words of code in some twenty colours, and axe would
# look at each for seconds: leave one of each colour.
ONE_SPAN_OF_A_KIND = """() => {
    const seen = new Set();
    for (const it of document.querySelectorAll(".highlight span")) {
        if (seen.has(it.className)) it.replaceWith(...it.childNodes);
        else seen.add(it.className);
    }
    document.body.normalize();
}"""


def test_the_site_was_built_with_every_lesson():
    assert {Path(page).stem for page in LESSONS} == {
        path.stem for path in (ROOT / "notebooks").glob("*.ipynb")
    }, "run `make site`"


# What reaches out of the page on the right, and is in no box of its own that scrolls: the article
# would scroll. (The sign that links to a heading is there for a mouse only.)
TOO_WIDE = """() => {
    const article = document.querySelector("article, main");
    const kept = it => it !== article &&
        (getComputedStyle(it).overflowX !== "visible" || kept(it.parentElement));
    return [...article.querySelectorAll("*:not(.headerlink)")]
        .filter(it => it.getBoundingClientRect().width > 0)
        .filter(it => it.getBoundingClientRect().right > innerWidth + 1 && !kept(it.parentElement))
        .map(it => it.outerHTML.slice(0, 100));
}"""


@pytest.fixture(scope="module")
def address():
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def context(chromium):
    """Give all pages one cache, as a reader's browser does."""
    context = chromium.new_context(viewport=DESK)
    yield context
    context.close()


@pytest.fixture
def open_page(context, address):
    """Open a page of the site; at the end see what it asked for and complained about."""
    page = context.new_page()
    complaints, requests = [], []
    page.on("console", lambda m: m.type == "error" and complaints.append(m.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))

    def visit(name):
        page.goto(urljoin(address, name), wait_until="networkidle")
        return page

    yield visit
    page.close()
    assert complaints == []
    outside = [url for url in requests if not url.startswith((address, "data:", "blob:"))]
    assert outside == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_draws_its_formulas_fits_a_telephone_and_is_accessible(name, open_page):
    page = open_page(name)
    formulas = page.locator(".math").count()
    if formulas:
        page.wait_for_selector(".math mjx-container")
        assert page.locator(".math mjx-container").count() >= formulas
        assert page.locator("mjx-merror").count() == 0
    page.set_viewport_size({"width": 375, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.evaluate(TOO_WIDE) == []
    page.set_viewport_size(DESK)
    page.evaluate(ONE_SPAN_OF_A_KIND)
    open_folds(page)
    assert serious_violations(page) == []
    # Of the dark page all but the colours has been looked at.
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert serious_violations(page, runOnly=["color-contrast"]) == []


def open_folds(page):
    """Show what is folded, and let nothing fade in."""
    page.add_style_tag(content="* { transition: none !important; }")
    page.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")


@pytest.mark.parametrize("name", PAGES)
def test_all_text_can_be_read_in_light_and_in_dark(name, open_page, record_property):
    page = open_page(name)
    open_folds(page)
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        walked = page.evaluate(CONTRAST, LEAST_CONTRAST)
        assert walked["low"] == [], theme
        assert walked["pieces"] > 10
        record_property(f"worst contrast, {theme}", round(walked["worst"], 2))


@pytest.mark.parametrize(
    ("planted", "shown"),
    [
        ("color: white; background: white", 1),
        ("color: #f3c7ee; background: #ced6dd", 1.01),
        ("color: rgb(0 0 0 / 20%)", 1.6),
        ("opacity: 0.3", 1.8),
    ],
    ids=["white on white", "as the theme had it", "a faint ink", "a faint element"],
)
def test_text_that_cannot_be_read_is_found(planted, shown, open_page):
    page = open_page("glossary.html")
    page.evaluate("css => document.querySelector('article p').style = css", planted)
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    walked = page.evaluate(CONTRAST, LEAST_CONTRAST)
    assert walked["worst"] == pytest.approx(shown, abs=0.4)
    assert "words of the course" in walked["low"][0][1]
    assert serious_violations(page, runOnly=["color-contrast"]) != []


def serious_violations(page, **options):
    # Without preload: axe would fetch style sheets again, from wrong addresses.
    options |= {"preload": False, "resultTypes": ["violations", "incomplete"]}
    found = Axe().run(page, options=options).response
    return [
        (one["id"], [node["html"][:200] for node in one["nodes"]])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ] + [("equal colours", node["html"][:200]) for node in of_equal_colours(found["incomplete"])]


def of_equal_colours(incomplete):
    """Find text in the colour of its ground: axe is not sure that anybody meant it to be read."""
    return [
        node
        for one in incomplete
        for node in one["nodes"]
        if any((why["data"] or {}).get("messageKey") == "equalRatio" for why in node["any"])
    ]


@pytest.mark.parametrize(
    ("query", "lesson"),
    [
        ("momentum", "03_batch_norm_train_and_eval"),
        ("running mean", "03_batch_norm_train_and_eval"),
        ("backpropagation", "04_batch_norm_backward"),
        ("qk-norm", "14_norms_in_a_modern_transformer"),
    ],
)
def test_search_finds_the_lesson_first(query, lesson, open_page):
    page = open_page(f"search.html?q={quote(query)}")
    page.wait_for_selector("#search-results li a")
    found = [link.get_attribute("href") for link in page.locator("#search-results li a").all()]
    assert lesson in found[0], found[:5]


def test_every_page_to_search_for_is_there():
    words = tomllib.loads((ROOT / "docs" / "site" / "search.toml").read_text(encoding="utf-8"))
    assert set(words) == {Path(page).stem for page in LESSONS}
    assert all(word == word.casefold() for listed in words.values() for word in listed)


def test_the_first_page_has_a_card_with_a_picture_for_every_lesson(open_page):
    page = open_page("index.html")
    page.locator(".cards").scroll_into_view_if_needed()
    cards = page.locator(".cards li")
    links = [card.locator("a").get_attribute("href") for card in cards.all()]
    assert sorted(links) == LESSONS
    page.evaluate("document.querySelectorAll('.cards img').forEach(it => it.loading = 'eager')")
    page.wait_for_function("[...document.querySelectorAll('.cards img')].every(it => it.complete)")
    sizes = page.locator(".cards img").evaluate_all("all => all.map(it => it.naturalWidth)")
    assert min(sizes) > 200


@pytest.mark.parametrize(("name", "many"), [("index.html", 1), ("play.html", 9)])
def test_the_explorables_move_by_keyboard(name, many, open_page):
    page = open_page(name)
    page.set_viewport_size({"width": 1000, "height": 900})
    toys = page.locator(".toy .nx").all()
    assert len(toys) == many
    for toy in toys:
        before = toy.locator(".says").inner_text(), toy.locator(".row").last.inner_html()
        control = toy.locator("input:enabled").first
        control.focus()
        ticked = control.get_attribute("type") == "checkbox"
        page.keyboard.press("Space" if ticked else "ArrowRight")
        after = toy.locator(".says").inner_text(), toy.locator(".row").last.inner_html()
        assert before[0] != after[0], before[0]
        assert before[1] != after[1], before[0]


def test_two_samples_stand_side_by_side(open_page):
    # Where the theme's own "row" is not kept out, they do not.
    samples = open_page("index.html").locator(".nx .row > [role=group]")
    first, second = samples.nth(0).bounding_box(), samples.nth(1).bounding_box()
    assert first["y"] == second["y"]


@pytest.mark.parametrize("folder", ["notebooks", "exercises"])
def test_the_side_bar_has_numbers_and_the_page_a_way_on(folder, open_page):
    page = open_page(f"{folder}/04_batch_norm_backward.html")
    listed = page.locator(".bd-sidebar-primary nav.bd-links a").all_inner_texts()
    numbers = [path.stem[:2] for path in sorted((ROOT / folder).glob("*.ipynb"))]
    assert [name.strip()[:2] for name in listed] == numbers
    assert page.locator("a.left-prev").get_attribute("href").startswith("03_")
    assert page.locator("a.right-next").get_attribute("href").startswith("05_")


def test_the_exercises_are_listed_with_their_points():
    _, _, text = (SITE / "exercises.html").read_text(encoding="utf-8").partition("<tbody>")
    for stem in notebooks():
        row = re.search(rf'href="exercises/{stem}.html".*?</tr>', text, re.DOTALL)[0]
        assert f"<p>{sum(task.max_points for task in tasks_of(stem)):g}</p>" in row
        assert all(task.name in row for task in tasks_of(stem))


def test_a_link_to_a_page_has_a_picture():
    for name in PAGES:
        text = (SITE / name).read_text(encoding="utf-8")
        picture = re.search(r'property="og:image" content="([^"]+)"', text)[1]
        assert (SITE / name).parent.joinpath(picture).is_file(), name


def test_the_site_is_small():
    size = sum(file.stat().st_size for file in SITE.rglob("*") if file.is_file())
    assert size < 25e6


@pytest.mark.parametrize("name", PAGES)
def test_internal_links_lead_somewhere(name):
    text = (SITE / name).read_text(encoding="utf-8")
    for link in re.findall(r'(?:href|src)="([^"]+)"', text):
        target, fragment = urldefrag(html.unescape(link))
        target = target.partition("?")[0]
        if urlsplit(link).scheme or target.startswith("//"):
            continue
        path = (SITE / name).parent / unquote(target) if target else SITE / name
        assert path.exists(), link
        if fragment and path.suffix == ".html":
            assert f'id="{unquote(fragment)}"' in path.read_text(encoding="utf-8"), link
