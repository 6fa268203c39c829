// eval() is forgotten: how many answers are right depends on who else is in the batch.

function render({ model, el }) {
  const [sizes, accuracies, right] = [model.get("sizes"), model.get("accuracies"), model.get("right")];
  const { handles, stage, say } = panel(el, "eval() forgotten");
  const percent = (share) => `${number(100 * share, 1)} %`;
  handles.append(
    slide("Images in a test batch", { min: 0, max: sizes.length - 1, step: 1, value: 0 }, show, (at) => sizes[at]),
  );

  function show(at) {
    const [width, height, left] = [460, 190, 46];
    const low = Math.floor(10 * Math.min(...accuracies, right)) / 10;
    const x = (k) => left + 14 + (k / (sizes.length - 1)) * (width - left - 40);
    const y = (share) => 12 + ((1 - share) / (1 - low)) * (height - 46);
    stage.replaceChildren(make("svg", { viewBox: `0 0 ${width} ${height}`, width, "aria-hidden": "true" },
      ...[low, 1].map((share) => make("text", { x: left - 4, y: y(share) + 4, "text-anchor": "end" }, percent(share))),
      make("line", { x1: left, x2: width - 20, y1: y(right), y2: y(right), stroke: "#0072B2", "stroke-width": 2 }),
      make("text", { x: left + 4, y: y(right) + 15 }, `eval(): ${percent(right)}`),
      make("polyline", { points: accuracies.map((share, k) => `${x(k)},${y(share)}`).join(" "), fill: "none", stroke: "#D55E00", "stroke-width": 2, "stroke-dasharray": "6 4" }),
      make("circle", { cx: x(at), cy: y(accuracies[at]), r: 7, fill: "#D55E00", stroke: "currentColor" }),
      ...sizes.map((size, k) => make("text", { x: x(k), y: height - 8, "text-anchor": "middle", "font-weight": k === at ? 700 : 400 }, String(size)))));
    say(`In training mode, ${sizes[at]} images at a time, ${percent(accuracies[at])} of the answers are right. With eval() it is ${percent(right)}, whatever the batch.`);
  }
  show(0);
}

export default { render };
