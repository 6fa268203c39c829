// One number for each block of a transformer, for several networks: which is chosen, and at which time.

function render({ model, el }) {
  const [networks, label, unit, colours] = [model.get("networks"), model.get("label"), model.get("unit"), model.get("colours")];
  // networks: name -> time -> the number at each block
  const times = Object.keys(Object.values(networks)[0]);
  let [name, at] = [Object.keys(networks)[0], times.length - 1];
  const { handles, stage, say } = panel(el, label);
  handles.append(
    choice("Network", Object.keys(networks), name, (value) => {
      name = value;
      update();
    }),
    choice("When", times, times[at], (value) => {
      at = times.indexOf(value);
      update();
    }),
  );

  function update() {
    const values = networks[name][times[at]];
    const highest = Math.max(...Object.values(networks).flatMap((network) => Object.values(network).flat()));
    const [width, height, left, bottom] = [440, 190, 40, 160];
    const wide = (width - left) / values.length;
    stage.replaceChildren(make("svg", { viewBox: `0 0 ${width} ${height}`, width, "aria-hidden": "true" },
      make("line", { x1: left, x2: width, y1: bottom, y2: bottom, stroke: "currentColor" }),
      ...values.flatMap((value, block) => {
        const tall = (value / highest) * (bottom - 24);
        const x = left + block * wide;
        return [make("rect", { x: x + 6, y: bottom - tall, width: wide - 12, height: tall, fill: colours[name], "fill-opacity": 0.7, stroke: "currentColor" }),
          make("text", { x: x + wide / 2, y: bottom - tall - 5, "text-anchor": "middle" }, number(value, 1)),
          make("text", { x: x + wide / 2, y: bottom + 18, "text-anchor": "middle" }, String(block))];
      })));
    say(`${label}, ${name}, ${times[at]}: from ${number(values[0], 1)} at block 0 to ${number(values.at(-1), 1)} ${unit} at block ${values.length - 1}.`);
  }
  update();
}

export default { render };
