"""What a learner sees when JupyterLab opens: the course, and nothing else."""

import driver

# The question about Jupyter's news comes within a second of the page being ready.
TIME_FOR_A_POP_UP = 5000  # ms


def test_it_opens_on_the_first_lesson_and_asks_nothing(lab):
    lab.open_as_printed()
    lab.page.wait_for_timeout(TIME_FOR_A_POP_UP)
    assert lab.texts("#jp-main-dock-panel .lm-TabBar-tabLabel") == ["00_start_here.ipynb"]
    assert lab.texts(driver.TOAST) == []
    assert lab.texts(driver.DIALOG) == []
    assert not [url for url in lab.requests if "/lab/api/news" in url or "/lab/api/update" in url]


LONGEST_LINES = """() => [...document.querySelectorAll(".jp-MarkdownOutput p")].map((text) => {
    const letter = document.createRange();
    const node = document.createTreeWalker(text, NodeFilter.SHOW_TEXT).nextNode();
    if (!node) return 0;
    const tops = [...node.data].map((_, k) => {
        letter.setStart(node, k);
        letter.setEnd(node, k + 1);
        return Math.round(letter.getBoundingClientRect().top);
    });
    return Math.max(...Object.values(Object.groupBy(tops, (top) => top)).map((all) => all.length));
})"""


def test_text_can_be_read_and_figures_keep_their_width(lab):
    lab.page.set_viewport_size({"width": 1440, "height": 900})
    lab.open(driver.FIRST_LESSON)
    lines = lab.page.evaluate(LONGEST_LINES)
    assert 60 < max(lines) <= 82
    picture = lab.page.locator(f"{driver.NOTEBOOK} .jp-OutputArea-output > img").first
    assert picture.bounding_box()["width"] == 750


def test_menus_bars_and_buttons_are_jupyterlabs_own(lab):
    lab.open(driver.FIRST_LESSON)
    menus = ["File", "Edit", "View", "Run", "Kernel", "Tabs", "Settings", "Help"]
    assert lab.texts(".lm-MenuBar-itemLabel") == menus

    tabs = lab.page.locator(".jp-SideBar .lm-TabBar-tab")
    assert [tab.get_attribute("data-id") for tab in tabs.all()] == [
        "filebrowser",
        "jp-running-sessions",
        "table-of-contents",
        "jp-property-inspector",
        "jp-debugger-sidebar",
    ]

    # The last one, which opens a second row in a narrow window, comes and goes.
    buttons = lab.page.locator(
        f"{driver.NOTEBOOK} .jp-NotebookPanel-toolbar"
        " > .jp-Toolbar-item:not(.jp-Toolbar-responsive-opener)"
    )
    assert [button.get_attribute("data-jp-item-name") for button in buttons.all()] == [
        *("save", "insert", "cut", "copy", "paste"),
        *("run", "interrupt", "restart", "restart-and-run", "cellType"),
        *("spacer", "debugger-icon", "kernelName", "executionProgress"),
    ]


def test_the_launcher_offers_what_a_learner_needs(lab):
    lab.open(driver.FIRST_LESSON)
    lab.choose("File", "New Launcher")
    lab.page.locator(".jp-LauncherCard").first.wait_for()
    assert lab.texts(".jp-LauncherCard-label") == [
        "Python 3 (ipykernel)",  # a notebook
        "Python 3 (ipykernel)",  # a console
        "Terminal",
        "Text File",
        "Markdown File",
        "Python File",
        "Show Contextual Help",
    ]


def test_the_file_browser_lists_the_course_and_files_of_ones_own(lab):
    (lab.course / "my notes.md").write_text("Mine.")
    lab.open(driver.FIRST_LESSON)
    lab.page.locator(".jp-BreadCrumbs-home").click()
    lab.page.locator(".jp-DirListing-itemText", has_text="README.md").wait_for()
    assert sorted(lab.texts(".jp-DirListing-itemText")) == [
        "README.md",
        "exercises",
        "my notes.md",
        "notebooks",
    ]


def test_the_file_browser_gives_its_room_to_the_names(lab):
    lab.open(driver.FIRST_LESSON)
    assert lab.texts(".jp-DirListing-headerItem") == ["Name"]


def test_a_lesson_that_was_only_read_closes_without_a_question(lab):
    before = (lab.course / driver.FIRST_LESSON).read_bytes()
    lab.open(driver.FIRST_LESSON)
    lab.choose("File", "Close Tab")
    lab.page.locator(driver.NOTEBOOK).wait_for(state="detached")
    assert lab.texts(driver.DIALOG) == []
    assert (lab.course / driver.FIRST_LESSON).read_bytes() == before
