// The backward pass of BatchNorm, box by box: each press lights an arrow and puts a gradient into its box.

const BOXES = { x: [0, 0], "μ": [1, 1], d: [2, 0], v: [3, 1], r: [4, 1], "x̂": [5, 0], y: [6, 0], weight: [6, 1], bias: [7, 1] };
const ARROWS = [["x", "μ"], ["x", "d"], ["μ", "d"], ["d", "v"], ["v", "r"], ["r", "x̂"], ["d", "x̂"], ["x̂", "y"], ["weight", "y"], ["bias", "y"]];

function render({ model, el }) {
  const [x, dy, weight, bias, eps] = ["x", "dy", "weight", "bias", "eps"].map((name) => model.get(name));
  const n = x.length;
  const mu = mean(x);
  const d = x.map((value) => value - mu);
  const v = mean(d.map((value) => value ** 2));
  const r = 1 / Math.sqrt(v + eps);
  const hat = d.map((value) => value * r);
  const values = { x, "μ": mu, d, v, r, "x̂": hat, y: hat.map((h) => weight * h + bias), weight, bias };

  // The walk back: the box that gets its gradient, what it is, the arrows walked, and why.
  const dHat = dy.map((g) => weight * g);
  const dr = sum(dHat.map((g, i) => g * d[i]));
  const dv = -0.5 * r ** 3 * dr;
  const dd = dHat.map((g, i) => g * r + (dv * 2 * d[i]) / n);
  const dmu = -sum(dd);
  const walk = [
    ["y", dy, [], "arrives from what comes after the layer"],
    ["bias", sum(dy), ["bias y"], "is the sum of dy: the bias went to every sample"],
    ["weight", sum(dy.map((g, i) => g * hat[i])), ["weight y"], "is the sum of dy times x̂"],
    ["x̂", dHat, ["x̂ y"], "is dy times weight"],
    ["r", dr, ["r x̂"], "is the sum of dx̂ times d: one r serves all samples"],
    ["v", dv, ["v r"], "is dr times the slope of 1/√(v + eps), which is −r³/2"],
    ["d", dd, ["d x̂", "d v"], "comes on two roads: dx̂ times r, and dv times 2d/n"],
    ["μ", dmu, ["μ d"], "is minus the sum of dd"],
    ["x", dd.map((g) => g + dmu / n), ["x d", "x μ"], "comes on two roads: dd, and dμ/n for each sample"],
  ];

  const { handles, stage, say } = panel(el, "The backward pass, box by box");
  const at = slide("Steps back", { min: 0, max: walk.length - 1, step: 1, value: 0 }, show, (k) => String(k));
  handles.append(at, player(at, walk.length, show, 1500));
  const written = (value) => (Array.isArray(value) ? `(${value.map((one) => number(one)).join(", ")})` : number(value));

  function show(step) {
    const done = walk.slice(0, step + 1);
    const lit = new Set(done.flatMap(([, , arrows]) => arrows));
    const reached = new Set(done.map(([box]) => box));
    const fresh = walk[step];
    const place = ([column, row]) => [34 + 62 * column, 32 + 74 * row];
    const lines = ARROWS.map(([from, to]) => {
      const [[x1, y1], [x2, y2]] = between(place(BOXES[from]), place(BOXES[to]));
      const on = lit.has(`${from} ${to}`);
      return make("line", { x1, y1, x2, y2, stroke: on ? "#D55E00" : "currentColor", "stroke-width": on ? 4 : 1.2, "stroke-opacity": on ? 1 : 0.4 });
    });
    const boxes = Object.entries(BOXES).map(([name, where]) => {
      const [cx, cy] = place(where);
      const wide = name.length > 2 ? 52 : 32;
      return make("g", {},
        make("rect", { x: cx - wide / 2, y: cy - 14, width: wide, height: 28, rx: 5, fill: "none", stroke: name === fresh[0] ? "#D55E00" : "currentColor",
          "stroke-width": reached.has(name) ? 3 : 1 }),
        make("text", { x: cx, y: cy + 5, "text-anchor": "middle", "font-weight": reached.has(name) ? 700 : 400 }, name));
    });
    const rows = [...done].reverse().map(([box, gradient], k) =>
      make("tr", k === 0 ? { class: "hot" } : {}, make("th", { scope: "row" }, `d${box}`), make("td", {}, written(gradient)), make("td", {}, written(values[box]))));
    stage.replaceChildren(
      make("svg", { viewBox: "0 0 500 140", width: 500, "aria-hidden": "true" }, ...lines, ...boxes),
      make("table", {}, make("caption", {}, "Gradients so far"),
        make("tr", {}, ...["", "gradient", "value"].map((head) => make("th", { scope: "col" }, head))), ...rows));
    say(`d${fresh[0]} = ${written(fresh[1])}: it ${fresh[3]}.`);
  }
  show(0);
}

/** The part of a line from middle to middle that lies outside the boxes. */
function between([x1, y1], [x2, y2]) {
  const cut = 22 / Math.hypot(x2 - x1, y2 - y1);
  const at = (part) => [x1 + part * (x2 - x1), y1 + part * (y2 - y1)];
  return [at(cut), at(1 - cut)];
}

export default { render };
