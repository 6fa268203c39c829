"""The table of claims in JupyterLab: its filter, and its links to the lessons' sections."""

import driver

ROWS = f"{driver.NOTEBOOK} .normlab-claims tbody tr"
SOURCE = """\
from normlab.claims import Ruling, Ledger, load_claims

Ledger(Ruling(claim, claim.verdict, "seen here") for claim in load_claims().values())"""

MAP_AND_TABLE = (
    SOURCE.replace("Ledger(Ruling", "ledger = Ledger(Ruling")
    + """
from IPython.display import display

display(ledger.map(), ledger)"""
)


def test_the_filter_leaves_the_rows_that_fit(run_cell):
    lab = run_cell(SOURCE, "notebooks/table.ipynb", shows=ROWS)
    page = lab.page.locator(f"{driver.NOTEBOOK} .normlab-claims")
    assert visible(lab) == 89
    page.get_by_label("verdict").select_option("wrong")
    wrong = visible(lab)
    assert 0 < wrong < 89
    assert page.get_by_role("status").inner_text() == f"{wrong} of 89 claims"
    page.get_by_role("searchbox").press_sequentially("momentum")  # no shortcut of JupyterLab's
    assert 0 < visible(lab) < wrong
    page.get_by_label("verdict").select_option("all verdicts")
    page.get_by_role("searchbox").fill("no claim has these words")
    assert visible(lab) == 0
    assert lab.errors() == []


def test_a_link_leads_to_the_lesson_and_from_then_on_to_its_section(run_cell):
    lab = run_cell(SOURCE, "notebooks/table.ipynb", shows=ROWS)
    link = lab.page.locator(f"{ROWS} a").first
    lesson, heading = link.inner_text().split(", ", 1)
    link.click()
    place = lab.page.locator(driver.NOTEBOOK).get_by_role("heading", name=heading.strip("“”"))
    place.first.wait_for(timeout=60_000)
    assert lesson[-2:] in lab.page.title()
    # JupyterLab 4.6 looks for a heading before the text is drawn, and stays at the top of a
    # notebook that was not open.
    lab.settle()
    lab.page.locator(".lm-TabBar-tabLabel", has_text="table.ipynb").click()
    lab.page.locator(f"{ROWS} a").first.click()
    lab.page.wait_for_function(
        "it => it.getBoundingClientRect().top >= 0 && it.getBoundingClientRect().top < 800",
        arg=place.first.element_handle(),
        timeout=30_000,
    )


def visible(lab):
    return sum(row.is_visible() for row in lab.page.locator(ROWS).all())


def test_a_tile_of_the_map_leads_to_its_row(run_cell):
    lab = run_cell(MAP_AND_TABLE, "notebooks/map.ipynb", shows=ROWS)
    tiles = lab.page.locator(f"{driver.NOTEBOOK} .normlab-claims-map a")
    assert tiles.count() == 89
    row = lab.page.locator(f"{ROWS}[id$='claim-B56']")
    tiles.get_by_text("B56", exact=True).click()
    lab.page.wait_for_function(
        "it => it.getBoundingClientRect().top >= 0 && it.getBoundingClientRect().top < 800",
        arg=row.first.element_handle(),
        timeout=30_000,
    )
    assert lab.errors() == []
