"""Choose the sheets of a lecture among the cells of a lesson.

What a lecture may show are the cells that the lesson marks (`slideshow`, `slide_type`), and its
explorables. A sheet shows one thing: a question for the class and its answer, a picture, an
explorable, a few lines of code, or a thought. Above it stand its section's title and the words
that lead to it; what follows appears with the next keys. What the lesson says up to the next sheet
is in the speaker's notes.

There are at most `MOST` sheets. The start, the recap and one sheet of each section come first; then
explorables and pictures, questions, and what else there is; the first of each section before any
second.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import dropwhile, zip_longest

import nbformat
from nbformat import NotebookNode

from normlab.exercises.guessing import unseal

MOST = 20
# Letters of the words that lead to a sheet's subject or to a picture, and of those that follow it.
LEAD, OVER_A_PICTURE, CLOSE = 420, 240, 240
# More lines of code are not read on a wall; of an answer's, no more than these are wanted.
LINES, LINES_OF_AN_ANSWER = 10, 4
# Letters of the choices that a question offers, where they stand in one line.
A_ROW = 75

GUESS = "guess("
# An output that waits for a guess.
FOLDED = re.compile(
    r"<details[^>]*><summary>Guess first[^<]*</summary>\n(.*)\n</details>", re.DOTALL
)
# The place that an explorable takes, with its still picture.
TO_TOUCH = re.compile(r'<div class="[^"]*nx-\w+"><img')
BLOCK = re.compile(r"(?:<details>.*?</details>|```.*?```|\$\$.*?\$\$|(?!\n\n).)+", re.DOTALL)
SENTENCE = re.compile(r"(?<=[.?!:])\s+(?=[\"“*`A-Z])")

# Sections that are for who reads alone, and those of which no word is left out.
WHOLE = {"Recap"}
NOT_IN_A_LECTURE = {"Test yourself", "Your turn", "Go further"}
# Kinds of sheets, and which come first where there is not room for all.
KINDS = ("title", "touch", "picture", "ask", "thought", "code", "turn")


@dataclass
class Sheet:
    """What is seen at once."""

    section: str
    kind: str
    """One of `KINDS`."""
    lead: list[str]
    """Blocks of text above what is shown."""
    shown: list[NotebookNode] = field(default_factory=list)
    then: list[NotebookNode] = field(default_factory=list)
    """What appears at the next keys."""
    notes: list[str] = field(default_factory=list)


def lecture(notebook: NotebookNode, most: int = MOST) -> list[Sheet]:
    """Return the sheets of a lesson's lecture."""
    possible = [sheet for section, cells in groups(notebook) for sheet in sheets(section, cells)]
    # Code that no word leads to says nothing by itself.
    return choose([sheet for sheet in possible if sheet.kind != "code" or sheet.lead], most)


# From cells to sheets


def slide_type(cell: NotebookNode) -> str:
    """Return how a cell is marked; "skip" where nothing is said."""
    return cell.metadata.get("slideshow", {}).get("slide_type", "skip")


def groups(notebook: NotebookNode) -> Iterator[tuple[str, list[NotebookNode]]]:
    """Yield the marked cells that belong together, and the title of their section.

    An explorable that is not marked comes with the text before it, and so does code that begins a
    sheet.
    """
    section, text, group = "", None, []
    for cell in notebook.cells:
        before = section
        if cell.cell_type == "markdown":
            section, text = heading(cell.source) or section, cell
        marked = slide_type(cell) not in {"skip", "notes"}
        alone = not marked and is_explorable(cell)
        if before != section or alone or slide_type(cell) in {"slide", "subslide"}:
            yield before, group
            group = [text] if alone and text else []
            if not group and text and marked and cell.cell_type == "code":
                group = [markdown(blocks(text.source)[-1])]  # the words that lead to it
        if section not in NOT_IN_A_LECTURE and (marked or alone):
            group.append(cell)
    yield section, group


def heading(source: str) -> str:
    """Return the title of the section that a text begins; "" if it begins none."""
    found = re.match(r"##? (.*)", source)
    return found[1] if found else ""


def sheets(section: str, cells: list[NotebookNode]) -> list[Sheet]:
    """Divide cells that belong together into sheets of one thing each."""
    made: list[Sheet] = []
    text: list[str] = []
    turn = any(is_turn(cell) for cell in cells)
    for cell in cells:
        if cell.cell_type == "markdown":
            text += [block for block in blocks(cell.source) if not heading(block)]
            if not turn:
                text = [block for block in text if not block.startswith("**Your turn")]
        elif made and waits(made[-1]) and is_plain(cell) and not cell.source.startswith(GUESS):
            made[-1].then.append(without_asides(cell, LINES_OF_AN_ANSWER))
        else:
            if made and len(text) > 1:
                follow(made[-1], text[:1])
                text = text[1:]
            add(made, shows(section, text, cell))
            text = []
    for one, after in zip_longest(made, made[1:]):
        if waits(one) and (after is None or after.kind not in {"touch", "picture"}):
            one.then.append(markdown(one.shown[-1].metadata.answer, "fragment"))
    if made and text:
        follow(made[-1], text)
    elif text:
        made.append(thought(section, cells[0].source, text))
    return made


def shows(section: str, text: list[str], cell: NotebookNode) -> Sheet:
    """Return a sheet that shows a cell."""
    if cell.source.startswith(GUESS):
        asks = question(cell)
        notes = [*text, asks.metadata.answer]
        return Sheet(section, "ask", shortened(text, LEAD), [asks], notes=notes)
    if not is_plain(cell):
        kind = "touch" if is_explorable(cell) else "picture"
        return Sheet(
            section, kind, shortened(text, OVER_A_PICTURE), [without_asides(cell, 0)], notes=text
        )
    kind = "turn" if is_turn(cell) else "code"
    return Sheet(section, kind, shortened(text, LEAD), [without_asides(cell, LINES)], notes=text)


def add(made: list[Sheet], new: Sheet) -> None:
    """Append a sheet; code that only prepares it is no sheet of its own."""
    last = made[-1] if made else None
    if last and not new.lead and not last.then:
        if last.kind == "code" and new.kind in {"code", "ask"}:
            lines = sum(len(cell.source.splitlines()) for cell in last.shown + new.shown)
            shown = last.shown if lines <= LINES else []
            made[-1] = Sheet(
                new.section, new.kind, last.lead, shown + new.shown, notes=last.notes + new.notes
            )
            return
        if last.kind == "ask":  # what it asks, again above what answers it
            new.lead = [last.shown[-1].metadata.asks]
    made.append(new)


def waits(sheet: Sheet) -> bool:
    """Say whether a sheet asks something that nothing has answered yet."""
    return sheet.kind == "ask" and not sheet.then


def follow(sheet: Sheet, text: list[str]) -> None:
    """Let the first sentences of a text appear under what is shown."""
    sheet.notes = sheet.notes + text
    said = markdown("\n\n".join(shortened(text[:1], CLOSE)), "fragment")
    sheet.then.append(said)


def thought(section: str, source: str, text: list[str]) -> Sheet:
    """Return a sheet of words: what the lesson is for, its recap, or a few sentences."""
    if source.startswith("# "):
        about, intention, aims, *_ = text
        about = f"*{about.strip('*').split(' · ')[-1]}*"  # without the minutes of a lone reader
        return Sheet(section, "title", [about, intention, aims], notes=text)
    lead = text if section in WHOLE else shortened(text, LEAD)
    lead = lead + [block for block in text[len(lead) : len(lead) + 1] if is_table(block)]
    return Sheet(section, "thought", lead, notes=text)


# What is kept


def choose(possible: list[Sheet], most: int) -> list[Sheet]:
    """Keep so many sheets; the notes of what is left out go to the sheet before."""
    of_section = Counter[str]()
    order = []
    represented = set()
    for number in sorted(range(len(possible)), key=lambda k: KINDS.index(possible[k].kind)):
        sheet = possible[number]
        of_section[sheet.section, sheet.kind] += 1
        first = sheet.section not in represented
        represented.add(sheet.section)
        picture = sheet.kind in {"touch", "picture"}
        rank = (not first, not picture, of_section[sheet.section, sheet.kind])
        order.append((rank, KINDS.index(sheet.kind), number))
    kept = {number for *_, number in sorted(order)[:most]}
    chosen: list[Sheet] = []
    for number, sheet in enumerate(possible):
        if number in kept:
            chosen.append(sheet)
        elif chosen:
            chosen[-1].notes = chosen[-1].notes + sheet.notes
    return chosen


# From sheets to cells


def cells(sheet: Sheet, first: bool) -> list[NotebookNode]:
    """Return a sheet as cells that nbconvert shows; `first` of its section."""
    level = "#" if sheet.kind == "title" else "##"
    text = "\n\n".join([f"{level} {sheet.section}", *sheet.lead])
    shown = [marked(cell, "-") for cell in sheet.shown]
    then = [marked(cell, "fragment") for cell in sheet.then]
    top = markdown(text, "slide" if first else "subslide")
    return [top, *shown, *then, markdown("\n\n".join(sheet.notes), "notes")]


def marked(cell: NotebookNode, kind: str) -> NotebookNode:
    """Return a copy of a cell, marked as `kind`."""
    cell = deepcopy(cell)
    cell.metadata.slideshow = {"slide_type": kind}
    return cell


def markdown(source: str, kind: str = "-") -> NotebookNode:
    """Return a cell of text."""
    return nbformat.v4.new_markdown_cell(source, metadata={"slideshow": {"slide_type": kind}})


def question(cell: NotebookNode) -> NotebookNode:
    """Return what a guess asks, for the class to answer; its metadata has the answer."""
    call = ast.parse(cell.source).body[0].value
    asks = ast.literal_eval(call.args[0])
    told = {key.arg: ast.literal_eval(key.value) for key in call.keywords}
    if "sealed" in told:
        told = unseal(told["sealed"])
    options = told.get("options", [])
    in_a_row = " · ".join(options)
    if len(in_a_row) > A_ROW:
        in_a_row = "\n".join(f"> - {option}" for option in options)
    shown = markdown(f"> **Ask now.** {asks}\n>\n> {in_a_row.removeprefix('> ')}")
    answer = f"{told.get('answer', '')}{told.get('unit', '')}. {told.get('why', '')}".strip()
    shown.metadata.update(tags=["ask"], asks=asks, answer=f"**Answer:** {answer}")
    return shown


def without_asides(cell: NotebookNode, lines: int) -> NotebookNode:
    """Return a cell with its output open, and its code only where it has at most so many lines."""
    cell = deepcopy(cell)
    code = cell.source.splitlines()
    if "nbval-ignore-output" in cell.metadata.get("tags", []):  # its reason is for who tests it
        code = list(dropwhile(lambda line: line.startswith("#"), code))
    cell.source = "\n".join(code)
    if len(code) > lines:
        cell.metadata.transient = {"remove_source": True}
    for output in cell.outputs:
        if found := FOLDED.fullmatch(output.get("data", {}).get("text/html", "")):
            output.data["text/html"] = found[1]
    return cell


def stored_html(cell: NotebookNode) -> str:
    """Return the HTML among a cell's outputs."""
    return "".join(
        output.get("data", {}).get("text/html", "") for output in cell.get("outputs", [])
    )


def is_explorable(cell: NotebookNode) -> bool:
    """Say whether a cell shows what can be touched."""
    return TO_TOUCH.search(stored_html(cell)) is not None


def is_turn(cell: NotebookNode) -> bool:
    """Say whether a cell is a function that the class has to write."""
    return "raise NotImplementedError" in cell.source


def is_plain(cell: NotebookNode) -> bool:
    """Say whether a cell shows neither a picture nor an explorable."""
    return "<img" not in stored_html(cell) and not is_explorable(cell)


# Text


def blocks(source: str) -> list[str]:
    """Divide a text at its empty lines."""
    return [block.strip("\n") for block in BLOCK.findall(source) if block.strip()]


def shortened(text: list[str], limit: int) -> list[str]:
    """Return the first blocks of a text that have about so many letters, in whole sentences.

    What a colon announces (a formula, a list, a table) comes with it.
    """
    kept: list[str] = []
    for block in text:
        announced = bool(kept) and kept[-1].endswith(":")
        if announced and not is_prose(block):
            kept.append(block)
            continue
        room = limit - sum(len(part) for part in kept if is_prose(part))
        if not is_prose(block) and kept:
            break
        sentences = SENTENCE.split(block) if is_prose(block) else [block]
        said = sentences[0] if not kept or len(sentences[0]) <= room else ""
        for sentence in sentences[1:]:
            if not said or len(said) + len(sentence) > room:
                break
            said += f" {sentence}"
        if said:
            kept.append(said)
        if said != " ".join(sentences):
            break
    return kept


def is_table(block: str) -> bool:
    """Say whether a block is a table that there is room for."""
    return block.startswith("|") and len(block.splitlines()) <= LINES


def is_prose(block: str) -> bool:
    """Say whether a block is neither a formula nor a list, a table, a quotation or code."""
    return not re.match(r"\$\$|[-*] |\d+\. |\||```|>|<", block)
