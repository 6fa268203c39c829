// A small batch of which one number moves: which statistics, outputs and gradients change?

function render({ model, el }) {
  const before = model.get("x"); // (N, C)
  const [row, column] = model.get("index");
  const [dy, eps] = [model.get("dy"), model.get("eps")];
  let [value, over] = [model.get("value"), model.get("over")];

  const { handles, stage, say } = panel(el, "One number moves");
  handles.append(
    slide(`x[${row}, ${column}]`, { ...model.get("reach"), value }, (moved) => {
      value = moved;
      update();
    }),
    choice("Average over", ["samples", "features"], over, (chosen) => {
      over = chosen;
      update();
    }),
  );

  function update() {
    const after = before.map((numbers) => [...numbers]);
    after[row][column] = value;
    const [old, now] = [before, after].map((x) => steps(x, over, dy, eps));
    const changed = {};
    stage.replaceChildren(...Object.entries(now).map(([name, { rows, heads }]) => {
      // What a reader of two decimals can see change.
      const hot = rows.map((numbers, i) => numbers.map((v, j) => number(v) !== number(old[name].rows[i][j])));
      changed[name] = sum(hot.flat().map(Number));
      return make("table", {}, make("caption", {}, name),
        ...rows.map((numbers, i) => make("tr", {}, ...(heads ? [make("th", { scope: "row" }, heads[i])] : []),
          ...numbers.map((v, j) => make("td", hot[i][j] ? { class: "hot" } : {}, number(v))))));
    }));
    const counts = Object.entries(now).map(([name, { rows }]) => `${changed[name]} of ${rows.flat().length} in ${name}`);
    say(`x[${row}, ${column}] moved from ${number(before[row][column])} to ${number(value)}, averaged over the ${over}. Changed: ${counts.join(", ")}.`);
  }
  update();
}

const turned = (rows) => rows[0].map((_, j) => rows.map((numbers) => numbers[j]));

/** Standardize along the axis, and walk back; each step as rows of numbers. */
function steps(x, over, dy, eps) {
  const lines = over === "samples" ? turned(x) : x; // what shares a mean lies in one line
  const back = over === "samples" ? turned : (rows) => rows;
  const [middles, stds] = [lines.map(mean), lines.map((line) => Math.sqrt(variance(line)))];
  const scaled = lines.map((line, i) => line.map((v) => (v - middles[i]) / Math.sqrt(stds[i] ** 2 + eps)));
  const statistics = over === "samples" ? { rows: [middles, stds], heads: ["mean", "std"] } : { rows: middles.map((m, i) => [m, stds[i]]) };
  const found = { x: { rows: x }, [over === "samples" ? "statistics" : "mean, std"]: statistics, output: { rows: back(scaled) } };
  if (dy) {
    const arriving = over === "samples" ? turned(dy) : dy;
    const gradient = arriving.map((g, i) => {
      const dot = mean(g.map((v, j) => v * scaled[i][j]));
      return g.map((v, j) => (v - mean(g) - scaled[i][j] * dot) / Math.sqrt(stds[i] ** 2 + eps));
    });
    found["gradient of x"] = { rows: back(gradient) };
  }
  return found;
}

export default { render };
