// The N x C x L block: tick the axes to average over; the cells that share one mean are coloured.

function render({ model, el }) {
  const [N, C, L] = model.get("shape");
  const colours = model.get("colours");
  const possible = range(C).map((g) => g + 1).filter((g) => C % g === 0);
  const average = Object.fromEntries([..."NCL"].map((axis) => [axis, model.get("average").includes(axis)]));
  let groups = model.get("groups");

  const { handles, stage, say } = panel(el, "The block");
  const grouping = choice("Groups of channels (where C is averaged over)", possible, groups, (value) => {
    groups = value;
    update();
  });
  handles.append(
    make("fieldset", {}, make("legend", {}, "Average over"),
      ...[..."NCL"].map((axis) => tick(AXES[axis], average[axis], (on) => {
        average[axis] = on;
        update();
      }))),
    grouping,
  );

  function update() {
    grouping.disabled = !average.C;
    const size = C / (average.C ? groups : 1);
    const coloured = (n, c, l) => (average.N || n === 0) && (average.C ? c < size : c === 0) && (average.L || l === 0);
    const count = (average.N ? N : 1) * (average.C ? size : 1) * (average.L ? L : 1);
    const means = (N * C * L) / count;
    const name = named(average, average.C ? groups : 1, C);
    stage.replaceChildren(drawn(N, C, L, coloured, colours[name.split(/[ ,]/)[0]] ?? "#56B4E9"));
    say(`${name}: ${means} mean${means === 1 ? "" : "s"}, each of ${count} number${count === 1 ? "" : "s"}.`);
  }
  update();
}

const AXES = { N: "N, the samples", C: "C, the channels", L: "L, the positions" };
const NAMES = {
  NL: "BatchNorm", CL: "LayerNorm over C and L", C: "LayerNorm over C", L: "InstanceNorm",
  "": "each number alone, all zeros",
};

function named(average, groups, channels) {
  const ticked = [..."NCL"].filter((axis) => average[axis]).join("");
  if (groups === channels && channels > 1 && average.C) return `${named({ ...average, C: false }, 1, channels)}, ${channels} groups`;
  if (groups > 1) return `${ticked === "CL" ? "GroupNorm" : "no usual norm"}, ${groups} groups`;
  return NAMES[ticked] ?? "no usual norm";
}

/** The three faces that are seen of the block: in front sample 0, above position 0, at the side the last channel. */
function drawn(N, C, L, coloured, colour) {
  const [wide, high, deep, up] = [30, 22, 17, 11];
  const at = (n, c, l) => `${40 + c * wide + n * deep},${24 + N * up + l * high - n * up}`;
  const face = (corners, on) =>
    make("polygon", { points: corners.map((corner) => at(...corner)).join(" "), stroke: "currentColor", "stroke-width": on ? 1.6 : 0.7,
      fill: on ? colour : "transparent", "fill-opacity": 0.75 });
  const faces = [
    ...range(C).flatMap((c) => range(L).map((l) => face([[0, c, l], [0, c + 1, l], [0, c + 1, l + 1], [0, c, l + 1]], coloured(0, c, l)))),
    ...range(N).flatMap((n) => range(C).map((c) => face([[n, c, 0], [n, c + 1, 0], [n + 1, c + 1, 0], [n + 1, c, 0]], coloured(n, c, 0)))),
    ...range(N).flatMap((n) => range(L).map((l) => face([[n, C, l], [n, C, l + 1], [n + 1, C, l + 1], [n + 1, C, l]], coloured(n, C - 1, l)))),
  ];
  const word = (text, x, y, anchor) => make("text", { x, y, "text-anchor": anchor }, text);
  const bottom = 24 + N * up + L * high;
  return make("svg", { viewBox: `0 0 ${60 + C * wide + N * deep} ${bottom + 22}`, width: 60 + C * wide + N * deep, "aria-hidden": "true" },
    ...faces, word("C", 40 + (C * wide) / 2, bottom + 17, "middle"), word("L", 30, bottom - (L * high) / 2, "end"),
    word("N", 30 + (N * deep) / 2, 20 + (N * up) / 2, "end"));
}

export default { render };
