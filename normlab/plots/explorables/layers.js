// What goes on in each layer while networks train, played from recorded runs.

function render({ model, el }) {
  const [networks, steps, quantities] = [model.get("networks"), model.get("steps"), model.get("quantities")];
  const colours = model.get("colours");
  // quantities: name -> network -> layer -> [low, middle, high] at each step
  let [quantity, at] = [Object.keys(quantities)[0], 0];
  const { handles, stage, say } = panel(el, "Inside the layers");
  const slider = slide("Training step", { min: 0, max: steps.length - 1, step: 1, value: 0 }, show, (k) => steps[k]);
  handles.append(
    choice("Look at", Object.keys(quantities), quantity, (value) => {
      quantity = value;
      show(at);
    }),
    slider, player(slider, steps.length, show, 400),
  );

  function show(place) {
    at = place;
    const shown = quantities[quantity];
    const all = Object.values(shown).flatMap((layers) => Object.values(layers).flat(2));
    const [low, high] = [Math.min(0, ...all), Math.max(...all)];
    stage.replaceChildren(...networks.map((network) => bars(network, shown[network], at, low, high, colours[network])));
    const told = networks.map((network) => `${network}: ${Object.entries(shown[network]).map(([layer, points]) => `${layer} ${number(points[at][1], 3)}`).join(", ")}`);
    say(`${quantity}, after ${steps[at]} steps. ${told.join("; ")}.`);
  }
  show(0);
}

function bars(network, layers, at, low, high, colour) {
  const names = Object.keys(layers);
  const [width, line, left] = [330, 34, 64];
  const x = (v) => left + ((v - low) / (high - low)) * (width - left - 16);
  return make("svg", { viewBox: `0 0 ${width} ${names.length * line + 44}`, width, "aria-hidden": "true" },
    make("text", { x: left, y: 13, "font-weight": 600 }, network),
    make("line", { x1: x(0), x2: x(0), y1: 20, y2: names.length * line + 22, stroke: "currentColor", "stroke-opacity": 0.5 }),
    ...names.flatMap((name, k) => {
      const [from, middle, to] = layers[name][at];
      const y = 24 + k * line;
      return [make("text", { x: left - 6, y: y + 17, "text-anchor": "end" }, name),
        make("rect", { x: x(from), y: y + 3, width: Math.max(2, x(to) - x(from)), height: 18, fill: colour, "fill-opacity": 0.55, stroke: colour }),
        make("circle", { cx: x(middle), cy: y + 12, r: 4, fill: "currentColor" })];
    }),
    ...[low, high].map((v) => make("text", { x: x(v), y: names.length * line + 38, "text-anchor": v === low ? "start" : "end" }, number(v, 2))));
}

export default { render };
