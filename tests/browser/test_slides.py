"""The lectures, slide by slide, in a browser: made with ``make slides``, opened from the disk."""

import pytest
from driver import ROOT

SLIDES = ROOT / "build" / "slides"
LECTURES = sorted(path.stem for path in SLIDES.glob("[0-9]*.html"))

# What on the slide that is shown is cut off, too small to read from the last row, or without words.
FAULTS = """() => {
    const slide = Reveal.getCurrentSlide();
    const faults = [];
    if (slide.scrollHeight > slide.clientHeight || slide.scrollWidth > slide.clientWidth)
        faults.push("cut off: " + slide.scrollWidth + " x " + slide.scrollHeight);
    for (const it of slide.querySelectorAll(":not(aside.notes, aside.notes *)")) {
        const box = it.getBoundingClientRect();
        const seen = box.width > 0 && it.checkVisibility();
        const what = it.tagName + " " + it.textContent.trim().slice(0, 60);
        const drawn = it.closest(".nx svg *");  // the drawing around it is looked at
        if (seen && !drawn && (box.left < 0 || box.right > innerWidth
                || box.bottom > innerHeight - 20))
            faults.push("off the screen: " + what);
        if (it.scrollWidth > it.clientWidth + 2 && it.matches("pre, table"))
            faults.push("too wide: " + what);
        if (it.matches("pre.wrapped") && it.textContent.trim().split("\\n").length > 3)
            faults.push("a table or a program with wrapped lines: " + what);
        const says = [...it.childNodes].some(
            (node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
        // In a drawing that can be touched the letters are a figure's.
        const least = it.closest(".nx svg, .nx .grid") ? 15 : 20;
        const small = parseFloat(getComputedStyle(it).fontSize) * it.currentCSSZoom < least;
        if (seen && says && small && !it.closest("mjx-container, sup, sub"))
            faults.push("too small: " + what);
        if (it.matches("img") && it.alt.trim().length < 20)
            faults.push("no alt text");
        if (it.matches("img") && (!it.naturalWidth || box.width < 0.75 * it.dataset.natural))
            faults.push("much smaller than in the notebook: " + it.alt.slice(0, 60));
        if (it.matches("mjx-container") && (box.width < 3 || box.height < 3))
            faults.push("a formula that is not drawn");
        if (it.matches("mjx-merror, [data-mml-node=merror]"))
            faults.push("a wrong formula: " + it.textContent);
    }
    if (!slide.querySelector("h1, h2")?.textContent.trim())
        faults.push("no heading");
    if (/(^|[^\\\\])\\$[^$\\n]+\\$/.test(slide.innerText.replace(/`[^`]*`/g, "")))
        faults.push("a formula that was left as it is written");
    return faults;
}"""


@pytest.fixture
def lectures(chromium):
    """Open lectures; at the end see what they asked for and complained about."""
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    complaints, requests = [], []
    context.on("request", lambda request: requests.append(request.url))
    context.on("console", lambda message: message.type == "error" and complaints.append(message))
    context.on("weberror", lambda problem: complaints.append(problem.error))

    def visit(name):
        page = context.new_page()
        page.goto((SLIDES / f"{name}.html").as_uri())
        if name != "index":
            page.wait_for_selector("body[data-ready]")
        return page

    yield visit
    context.close()
    assert complaints == []
    outside = [url for url in requests if not url.startswith((SLIDES.as_uri(), "data:", "blob:"))]
    assert outside == []


def test_there_is_a_lecture_of_each_lesson_and_a_list_of_them(lectures):
    lessons = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert lessons == LECTURES, "run `make slides`"
    links = lectures("index").locator("li a").all()
    assert [link.get_attribute("href") for link in links] == [f"{name}.html" for name in lessons]


@pytest.mark.parametrize("name", LECTURES)
def test_every_slide_is_whole_and_can_be_read_from_the_last_row(name, lectures):
    page = lectures(name)
    faults = {}
    count = page.evaluate("Reveal.getTotalSlides()")
    for number in range(1, count + 1):
        while page.evaluate("Reveal.nextFragment()"):
            pass
        if found := page.evaluate(FAULTS):
            faults[number] = found
        page.evaluate("Reveal.next()")
    assert page.evaluate("Reveal.isLastSlide()")
    assert faults == {}


def test_what_can_be_touched_is_touched_on_the_sheet_and_its_keys_are_its_own(lectures):
    page = lectures("03_batch_norm_train_and_eval")
    page.evaluate("""() => Reveal.slide(...Object.values(
        Reveal.getIndices(document.querySelector(".nx").closest("section"))))""")
    before = page.evaluate("Reveal.getSlidePastCount()")
    says = page.locator("section.present .says")
    said = says.inner_text()
    page.locator("section.present input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert says.inner_text() != said
    assert page.evaluate("Reveal.getSlidePastCount()") == before


def test_a_lecture_is_held_with_the_keys(lectures):
    page = lectures(LECTURES[1])
    count = page.evaluate("Reveal.getTotalSlides()")
    seen = [page.evaluate("Reveal.getSlidePastCount()")]
    for _ in range(4 * count):
        page.keyboard.press("Space")
        seen.append(page.evaluate("Reveal.getSlidePastCount()"))
    assert list(dict.fromkeys(seen)) == list(range(count))
    page.keyboard.press("ArrowLeft")
    assert not page.evaluate("Reveal.isLastSlide() && !Reveal.availableFragments().next")
