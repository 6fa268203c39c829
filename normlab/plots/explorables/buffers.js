// Batch statistics go by, and the buffers follow them: which numbers would evaluation mode use now?

const STATISTICS = ["mean", "variance"];

function render({ model, el }) {
  const of = { mean: model.get("mean"), variance: model.get("variance") }; // of each batch, one feature
  const momenta = model.get("momenta").map((value) => value ?? "None");
  let [momentum, step] = [model.get("momentum") ?? "None", model.get("step")];
  const [size, count] = [model.get("size"), of.mean.length];

  const { handles, stage, say } = panel(el, "Batch statistics and buffers");
  const steps = slide("Batches seen", { min: 1, max: count, step: 1, value: step }, (value) => show(value));
  const play = player(steps, count, show, 250, 1);
  const now = make("button", { type: "button", onclick: () => evaluate() }, "eval() now");
  handles.append(
    choice("Momentum", momenta, momentum, (value) => {
      momentum = value;
      show(step);
    }),
    steps, play, " ", now,
  );

  /** The buffers after each batch; the running variance takes the unbiased one in. */
  function remembered() {
    const held = { mean: [], variance: [] };
    let [m, v] = [0, 1];
    for (const k of range(count)) {
      const weight = momentum === "None" ? 1 / (k + 1) : momentum;
      m = (1 - weight) * m + weight * of.mean[k];
      v = (1 - weight) * v + (weight * of.variance[k] * size) / (size - 1);
      held.mean.push(m);
      held.variance.push(v);
    }
    return held;
  }

  function show(value) {
    step = value;
    const held = remembered();
    stage.replaceChildren(...STATISTICS.map((name) => tape(name, of[name], held[name], step)));
    const both = STATISTICS.map((name) => `${name} ${number(of[name][step - 1])} in training mode, ${number(held[name][step - 1])} in evaluation mode`);
    say(`After ${step} batch${step === 1 ? "" : "es"} with momentum ${momentum} a layer uses: ${both.join("; ")}.`);
  }

  function evaluate() {
    const held = remembered();
    const [m, v] = [held.mean[step - 1], held.variance[step - 1] + 1e-5];
    say(`eval() after ${step} batches with momentum ${momentum}: this batch comes out with mean ${number((of.mean[step - 1] - m) / Math.sqrt(v))} and variance ${number(of.variance[step - 1] / v)}. In training mode it is 0 and 1.`);
  }
  show(step);
}

/** Dots for the batches, a line for the buffer, and what the two modes use at the marked step. */
function tape(name, of, held, step) {
  const [width, height, left, top] = [340, 130, 36, 16];
  const all = [...of, ...held, 0];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const x = (k) => left + (k / (of.length - 1)) * (width - left - 10);
  const y = (v) => top + ((high - v) / (high - low)) * (height - top - 18);
  const at = step - 1;
  return make("svg", { viewBox: `0 0 ${width} ${height}`, width, "aria-hidden": "true" },
    make("text", { x: left, y: 11, "font-weight": 600 }, name),
    ...[low, high].map((v) => make("text", { x: left - 5, y: y(v) + 4, "text-anchor": "end" }, number(v, 1))),
    make("line", { x1: x(at), x2: x(at), y1: top, y2: height - 14, stroke: "currentColor", "stroke-opacity": 0.4 }),
    ...of.map((v, k) => make("circle", { cx: x(k), cy: y(v), r: 1.8, fill: "currentColor", "fill-opacity": 0.55 })),
    make("polyline", { points: held.map((v, k) => `${x(k)},${y(v)}`).join(" "), fill: "none", stroke: "#0072B2", "stroke-width": 2 }),
    make("rect", { x: x(at) - 6, y: y(of[at]) - 6, width: 12, height: 12, fill: "#D55E00", stroke: "currentColor" }),
    make("circle", { cx: x(at), cy: y(held[at]), r: 5, fill: "#0072B2", stroke: "currentColor" }),
    make("text", { x: width - 8, y: height - 2, "text-anchor": "end" }, "square: train(), disc: eval()"));
}

export default { render };
