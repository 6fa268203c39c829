"""Self-tests and guesses in a browser, from a file, without a kernel and without a network."""

import re

import driver
import pytest
from playwright.sync_api import expect

from normlab.exercises.guessing import Guess
from normlab.exercises.self_tests import Answer, Question
from normlab.exercises.sitting import Sitting

TEST = Sitting(
    "03_batch_norm_train_and_eval",
    (
        Question(
            "What is `1 < 2`?",
            (
                Answer("`True`", "One is less.", right=True),
                Answer("`False`", "Look again."),
                Answer("neither", "It is one of the two."),
            ),
            code="1 < 2",
        ),
        Question(
            "And 3 < 2?", (Answer("yes", "No, three."), Answer("no", "Three is.", right=True))
        ),
    ),
)
CHOICE = Guess("Which `letter`?", "`b`", options=("a", "`b`", "c"), why="So.")
NUMBER = Guess("How many of the twelve change?", 4, why="All of one column.")
NO_STORAGE = """Object.defineProperty(window, "localStorage", {
    get() { throw new DOMException("kept from you", "SecurityError"); },
});"""


def html(*asked):
    return "".join(one._repr_mimebundle_()["text/html"] for one in asked)


def said(page, place=0):
    return page.locator(".q [role=status]").nth(place).inner_text().strip()


def stands(page):
    return page.locator(".where span").inner_text()


def focused(page):
    return page.evaluate("document.activeElement.closest('label')?.textContent.trim()")


def test_a_choice_by_mouse_is_explained_and_kept_over_a_reload(offline):
    page = offline(html(TEST))
    assert page.locator("details").count() == 0
    live = page.locator(".q [role=status]").first.element_handle()  # there before its words
    assert live.get_attribute("aria-live") == "polite"
    page.get_by_label("False").click()
    assert live.inner_text() == "✗ No. Look again."
    assert stands(page).startswith("1 of 2 questions answered, 0 right at the first go.")
    assert stands(page).endswith("Your first choices are kept in this browser.")
    page.reload()
    assert page.get_by_label("False").is_checked()
    assert said(page) == "✗ No. Look again."
    assert stands(page).startswith("1 of 2 questions answered")


def test_by_keyboard_a_question_is_one_stop_and_an_arrow_answers_nothing(offline):
    page = offline(html(TEST))
    stops = []
    for _ in range(2):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.closest('fieldset').innerText"))
    assert ["1." in stops[0], "2." in stops[1]] == [True, True]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert "answers." in stands(page)  # nothing counts yet
    assert "Enter or Space" in said(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert said(page) == "✓ Right. One is less."
    assert focused(page) == "True"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    assert said(page) == "✗ No. It is one of the two."
    assert stands(page).startswith("1 of 2 questions answered, 1 right")
    assert said(page, 1) == ""


def test_only_the_first_choice_counts_until_one_starts_again(offline):
    page = offline(html(TEST))
    page.get_by_label("False").click()
    page.get_by_label("True").click()
    page.get_by_label("no", exact=True).click()
    assert stands(page).startswith("1 of 2 right at the first go.")
    page.get_by_role("button", name="Start again").click()
    assert page.locator("input:checked").count() == 0
    page.get_by_label("True").click()
    page.get_by_label("no", exact=True).click()
    assert stands(page).startswith("2 of 2 right at the first go.")
    page.reload()
    assert stands(page).startswith("2 of 2 right at the first go.")


def test_a_guess_opens_what_waits_for_it_and_no_other(offline):
    waiting = [f'<details class="{name}"><summary>?</summary>4</details>' for name in ("x", "y")]
    waiting.insert(1, waiting[0].replace('"x"', NUMBER.name))
    page = offline(html(NUMBER) + "".join(waiting))
    opened = "all => all.map((it) => it.open)"
    assert page.locator("details").evaluate_all(opened) == [False, False, False]
    page.get_by_label("Your guess").fill("12")
    page.keyboard.press("Enter")
    assert said(page) == "✗ You said 12; it is 4. All of one column."
    assert page.locator("details").evaluate_all(opened) == [False, True, False]
    assert stands(page) == "Your first guess is kept in this browser."
    page.reload()
    assert said(page).startswith("✗ You said 12; it is 4.")
    assert page.locator("details").evaluate_all(opened) == [False, True, False]


GUESSES = [
    ("12", 4, {}, "✗ You said 12; it is 4."),
    ("4", 4, {}, "✓ You said 4, and so it is."),
    ("4.0", 4, {}, "✓ You said 4.0; it is 4. Near enough."),
    ("30", 36.4, {"within": 10, "unit": " %"}, "✓ You said 30; it is 36.4 %. Near enough."),
    ("20 %", 36.4, {"within": 10, "unit": " %"}, "✗ You said 20 %; it is 36.4 %."),
    ("65536", 65_536, {}, "✓ You said 65536; it is 65,536. Near enough."),
    ("ones", "ones, up to sign", {}, "You said: ones. It is: ones, up to sign."),
    ("<b>", "`b`", {"why": "`So`."}, "You said: <b>. It is: b. So."),
    # as people write numbers
    (" 0,5 ", 0.5, {}, "✓ You said 0,5; it is 0.5. Near enough."),
    ("1,000", 1000, {}, "✓ You said 1,000, and so it is."),
    ("12 %", 12, {}, "✓ You said 12 %; it is 12. Near enough."),
    ("about 7", 7, {}, "✓ You said about 7; it is 7. Near enough."),
    ("−3", -3, {}, "✓ You said −3; it is -3. Near enough."),
    ("1e3", 1e3, {}, "✓ You said 1e3; it is 1,000.0. Near enough."),
    ("8 ms", 9, {"unit": " ms"}, "✗ You said 8 ms; it is 9 ms."),
    # and what is none
    ("", 4, {}, "Write your guess first; a rough one will do."),
    *(
        (text, 4, {}, f"“{text}” is no number: write one such as 4 or 0.5.")
        for text in ("four", "nan", "inf", "1 2", "4 or 5", "()", "0x4")
    ),
]


@pytest.mark.parametrize("look", [("light", 1000)], ids=["light"])
def test_it_answers_with_both(offline):
    asked = [
        Guess(f"{number}?", answer, **more) for number, (_, answer, more, _) in enumerate(GUESSES)
    ]
    page = offline(html(*asked))
    for place, (text, _, _, verdict) in enumerate(GUESSES):
        question = page.locator(".q").nth(place)
        question.get_by_label("Your guess").fill(text)
        question.get_by_role("button", name="Say it").click()
        assert said(page, place) == verdict
        counted = "is no number" not in verdict and text != ""
        assert (question.locator(".where").is_visible(), text) == (counted, text)


def test_an_option_is_a_guess(offline):
    page = offline(html(CHOICE))
    page.get_by_label("a", exact=True).click()
    assert said(page) == "✗ You said a; it is b. So."
    page.get_by_label("b", exact=True).click()
    assert said(page) == "✓ You said b, and so it is. So."


def test_every_control_has_a_name_and_nothing_is_wider_than_the_page(offline):
    page = offline(html(TEST, CHOICE, NUMBER))
    tree = driver.accessibility_tree(page)
    controls = [name for role, name in tree if role in driver.CONTROLS]
    assert {"1. What is 1 < 2?", "Guess first. Which letter?", "neither", "Say it"} <= set(controls)
    assert all(controls)
    assert [role for role, _ in tree].count("status") == 4
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_where_the_browser_keeps_nothing_it_works_and_says_so(offline, chromium):
    page = offline("")
    page.add_init_script(NO_STORAGE)
    page = offline(html(TEST))
    page.get_by_label("True").click()
    assert said(page).startswith("✓ Right.")
    assert "1 of 2 questions answered, 1 right" in stands(page)
    assert "this browser lets no page keep anything" in stands(page)


@pytest.mark.parametrize(
    "kept", ["[", "5", "null", '{"Q": [99, 0]}', '{"Q": 1}', '{"Q": ["x", 0]}']
)
def test_what_is_kept_and_makes_no_sense_is_passed_over(kept, offline):
    question = re.search(r'data-q="(\w+)"', html(TEST))[1]
    page = offline(html(TEST))
    page.evaluate(
        "both => localStorage.setItem(...both)",
        [f"normlab {TEST.lesson}", kept.replace("Q", question)],
    )
    page.reload()
    assert page.locator("input:checked").count() == 0
    page.get_by_label("True").click()
    assert "1 of 2 questions answered" in stands(page)
    page.reload()
    expect(page.get_by_label("True")).to_be_checked()


def test_in_a_lecture_each_audience_begins_anew(offline):
    page = offline(html(TEST))
    page.get_by_label("False").click()
    page = offline(f'<div class="reveal">{html(TEST, NUMBER)}</div>')
    assert page.locator("input:checked").count() == 0
    page.get_by_label("True").click()
    assert said(page).startswith("✓ Right.")
    assert not page.locator(".where").first.is_visible()
    page = offline(html(TEST))  # a learner's own are as they were
    assert page.get_by_label("False").is_checked()


def test_without_scripts_each_answer_unfolds(chromium, tmp_path):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    file = tmp_path / "still.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{html(TEST, NUMBER)}")
    page.goto(file.as_uri())
    assert page.locator("details").count() == 6
    page.get_by_text("False").click()
    assert page.get_by_text("✗ No. Look again.").is_visible()
    page.get_by_text("Show the answer").click()
    assert page.get_by_text("4. All of one column.").is_visible()
    context.close()
