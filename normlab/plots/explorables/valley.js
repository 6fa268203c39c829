// The loss of two weights, and gradient descent in it: scale one input, move its mean, watch the path.

const MOST = 2000; // steps

function render({ model, el }) {
  const inputs = model.get("x"); // (samples, 2), of mean 0
  const start = model.get("start");
  let [scale, offset] = [model.get("scale"), 0];

  const { handles, stage, say } = panel(el, "The valley");
  handles.append(
    slide("Spread of the second input", { min: 1, max: 10, step: 0.5, value: scale }, (value) => {
      scale = value;
      update();
    }),
    slide("Mean of both inputs", { min: 0, max: 3, step: 0.25, value: offset }, (value) => {
      offset = value;
      update();
    }),
  );

  function update() {
    const rows = inputs.map(([a, b]) => [a + offset, scale * (b + offset)]);
    const [p, q, r] = [mean(rows.map(([a]) => a * a)), mean(rows.map(([a, b]) => a * b)), mean(rows.map(([, b]) => b * b))];
    const half = Math.hypot((p - r) / 2, q);
    const [flat, steep] = [(p + r) / 2 - half, (p + r) / 2 + half]; // the Hessian's eigenvalues
    const path = [start];
    const loss = ([u, v]) => 0.5 * (p * u * u + 2 * q * u * v + r * v * v);
    const goal = 1e-4 * loss(start);
    while (loss(path.at(-1)) > goal && path.length <= MOST) {
      const [u, v] = path.at(-1);
      path.push([u - (p * u + q * v) / steep, v - (q * u + r * v) / steep]); // the rate is 1 / steepest
    }
    const angle = 0.5 * Math.atan2(2 * q, p - r); // of the steepest direction
    stage.replaceChildren(bowl(path, loss(start), flat, steep, angle));
    const steps = path.length > MOST ? `more than ${MOST}` : path.length - 1;
    say(`Steepest by flattest: ${number(steep / flat, 1)}. Gradient descent takes ${steps} step${steps === 1 ? "" : "s"} to a ten-thousandth of the loss.`);
  }
  update();
}

function bowl(path, loss, flat, steep, angle) {
  const [size, unit] = [300, 28];
  const [x, y] = [(u) => size / 2 + unit * u, (v) => size / 2 - unit * v];
  const rings = [1 / 64, 1 / 16, 1 / 4, 1, 4].map((part) =>
    make("ellipse", { cx: size / 2, cy: size / 2, rx: unit * Math.sqrt((2 * part * loss) / steep), ry: unit * Math.sqrt((2 * part * loss) / flat),
      transform: `rotate(${(-angle * 180) / Math.PI} ${size / 2} ${size / 2})`, fill: "none", stroke: "currentColor", "stroke-opacity": 0.35 }));
  const shown = path.slice(0, 200);
  return make("svg", { viewBox: `0 0 ${size} ${size}`, width: size, "aria-hidden": "true", style: "overflow:hidden" },
    ...rings,
    make("polyline", { points: shown.map(([u, v]) => `${x(u)},${y(v)}`).join(" "), fill: "none", stroke: "#0072B2", "stroke-width": 1.5 }),
    ...shown.map(([u, v]) => make("circle", { cx: x(u), cy: y(v), r: 2.6, fill: "#0072B2" })),
    make("text", { x: x(path[0][0]), y: y(path[0][1]) - 8, "text-anchor": "middle" }, "start"),
    make("path", { d: `M${size / 2 - 6} ${size / 2}h12M${size / 2} ${size / 2 - 6}v12`, stroke: "#D55E00", "stroke-width": 3 }));
}

export default { render };
