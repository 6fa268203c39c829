// N x C x L numbers, as shapes of the course have them. Touch one, choose a norm, push: who moves?

const NORMS = {
  BatchNorm: (a, b) => a.c === b.c,
  "LayerNorm, a whole sample": (a, b) => a.n === b.n,
  "LayerNorm, one position": (a, b) => a.n === b.n && a.l === b.l,
  InstanceNorm: (a, b) => a.n === b.n && a.c === b.c,
  GroupNorm: (a, b, size) => a.n === b.n && Math.floor(a.c / size) === Math.floor(b.c / size),
};
const EPS = 1e-5;

function render({ model, el }) {
  const [N, C, L] = model.get("shape");
  const colours = model.get("colours");
  const start = model.get("x"); // N * C * L numbers, the position fastest
  const cells = range(N * C * L).map((k) => ({ k, n: Math.floor(k / (C * L)), c: Math.floor(k / L) % C, l: k % L }));
  const possible = range(C).map((g) => g + 1).filter((g) => C % g === 0 && g > 1 && g < C);
  let x = [...start];
  let [norm, groups, touched] = [model.get("norm"), possible[0], cells[model.get("touched")]];

  const { handles, stage, say } = panel(el, "Who shares my mean?");
  const grouping = choice("Groups of channels", possible, groups, (value) => {
    groups = value;
    update();
  });
  const push = slide("The touched number", { min: -8, max: 12, step: 0.1, value: x[touched.k] }, (value) => {
    x[touched.k] = value;
    update();
  }, (v) => number(v, 1));
  handles.append(
    choice("Norm", Object.keys(NORMS), norm, (value) => {
      norm = value;
      update();
    }),
    grouping,
    push,
  );

  const shares = (cell) => cells.filter((other) => NORMS[norm](cell, other, C / groups));
  const outputs = (values) =>
    cells.map((cell) => {
      const set = shares(cell).map((other) => values[other.k]);
      return (values[cell.k] - mean(set)) / Math.sqrt(variance(set) + EPS);
    });

  const buttons = cells.map((cell) =>
    make("button", { type: "button", class: "cell", onclick: () => touch(cell), onkeydown: (event) => move(event, cell) }));
  const sheet = make("style", {}, `.nx .cell{min-width:2.2em;padding:.15rem 0;border-radius:0;font-size:.78rem;border-color:color-mix(in srgb,currentColor 35%,transparent)}
.nx .cell.in{background:color-mix(in srgb,var(--norm) 40%,transparent);border:2px solid var(--norm)}.nx .cell.me{outline:3px solid;position:relative;z-index:1;font-weight:700}
.nx .grid{display:grid;grid-template-columns:repeat(${C},auto)}`);
  stage.append(sheet, ...range(N).map((n) =>
    make("div", { role: "group", "aria-label": `sample ${n}` }, `sample ${n}`,
      make("div", { class: "grid" }, ...range(L).flatMap((l) => range(C).map((c) => buttons[(n * C + c) * L + l]))))));

  function touch(cell) {
    x = [...start]; // what another number was pushed to is taken back
    touched = cell;
    push.set(x[cell.k]);
    update();
  }

  function move(event, cell) {
    const step = { ArrowRight: [0, 1, 0], ArrowLeft: [0, -1, 0], ArrowDown: [0, 0, 1], ArrowUp: [0, 0, -1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const c = cell.c + step[1];
    const n = (cell.n + (c >= C) - (c < 0) + N) % N; // from the last channel on to the next sample
    const next = cells[(n * C + ((c + C) % C)) * L + ((cell.l + step[2] + L) % L)];
    touch(next);
    buttons[next.k].focus();
  }

  function update() {
    grouping.disabled = norm !== "GroupNorm";
    stage.style.setProperty("--norm", colours[norm.split(",")[0]]);
    const [before, after] = [outputs(start), outputs(x)];
    const set = new Set(shares(touched));
    cells.forEach((cell, k) => {
      const mine = cell === touched;
      buttons[k].className = `cell${set.has(cell) ? " in" : ""}${mine ? " me" : ""}`;
      buttons[k].textContent = number(after[k], 1);
      buttons[k].tabIndex = mine ? 0 : -1;
      buttons[k].setAttribute("aria-pressed", mine);
      buttons[k].setAttribute("aria-label", `channel ${cell.c}, position ${cell.l}: output ${number(after[k], 1)}${set.has(cell) ? ", shares the mean" : ""}`);
    });
    const samples = new Set([...set].map((cell) => cell.n)).size;
    const moved = cells.filter((_, k) => Math.abs(after[k] - before[k]) > 1e-9);
    const others = moved.filter((cell) => cell.n !== touched.n).length;
    const name = norm === "GroupNorm" ? `GroupNorm in ${groups} groups` : norm;
    say(
      `${name}: the touched number shares its mean with ${set.size - 1} others, in ${samples} of ${N} samples. ` +
        (moved.length === 0
          ? "Push it."
          : `You pushed it, and ${moved.length} of ${cells.length} outputs moved` +
            (others ? `, ${others} of them other people's answers.` : ", none of another sample.")),
    );
  }
  update();
}

export default { render };
