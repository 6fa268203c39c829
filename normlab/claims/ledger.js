// Makes its own controls: where no script runs, there is the whole table, and nothing that is dead.
(function () {
  for (const box of document.querySelectorAll(".normlab-claims")) {
    if (box.querySelector("input")) continue;
    const rows = Array.from(box.querySelectorAll("tbody tr"));
    const verdicts = [...new Set(rows.map((row) => row.dataset.verdict))];
    const select = document.createElement("select");
    select.setAttribute("aria-label", "verdict");
    for (const name of ["all verdicts", ...verdicts]) select.add(new Option(name));
    const input = document.createElement("input");
    input.type = "search";
    input.placeholder = "words in claim, evidence or source";
    input.setAttribute("aria-label", input.placeholder);
    input.style.width = "20em";
    const count = document.createElement("span");
    count.setAttribute("role", "status");
    function update() {
      let shown = 0;
      for (const row of rows) {
        const fits = select.selectedIndex === 0 || row.dataset.verdict === select.value;
        const found = row.textContent.toLowerCase().includes(input.value.toLowerCase());
        row.hidden = !(fits && found);
        if (fits && found) shown += 1;
      }
      count.textContent = shown + " of " + rows.length + " claims";
    }
    for (const one of [select, input]) {
      one.style.marginRight = "1em";
      one.addEventListener("input", update);
      one.addEventListener("keydown", (event) => event.stopPropagation());
    }
    const line = document.createElement("p");
    line.append(select, input, count);
    box.prepend(line);
    update();
  }
})();
