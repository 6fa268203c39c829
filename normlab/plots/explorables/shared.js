// What all explorables share, besides page.js: native controls with names, and numbers.

const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
let controls = 0; // each group of radio buttons has a name of its own in the page

const FIGURE = `
.nx fieldset{border:0;margin:0 0 .5rem;padding:0;min-width:0;display:flex;flex-wrap:wrap;gap:.2rem .9rem;align-items:baseline}
.nx fieldset:disabled{opacity:.55}
.nx .slide{display:flex;flex-wrap:wrap;margin:0 0 .5rem}
.nx input[type=range]{width:min(16rem,60vw)}
.nx .says{min-height:3em;margin:.4rem 0}
.nx svg{display:block;max-width:100%;height:auto;overflow:visible}
.nx svg text{fill:currentColor;font-size:13px}
.nx .row{display:flex;flex-wrap:wrap;gap:.3rem 1.4rem;align-items:flex-start;margin:.3rem 0}
.nx table{border-collapse:collapse;margin:0;font-variant-numeric:tabular-nums;width:auto}
.nx caption{caption-side:top;text-align:left;font-weight:600;padding:0;color:inherit}
.nx td,.nx th{border:1px solid color-mix(in srgb,currentColor 30%,transparent);padding:.1rem .5rem;text-align:right;background:transparent;color:inherit;font-weight:400}
.nx .hot{background:color-mix(in srgb,#56B4E9 45%,transparent);font-weight:700;outline:2px solid #0072B2;outline-offset:-2px}
`;

/** Put an empty explorable in the place of the still picture. */
function panel(el, name) {
  const [handles, stage, says] = [make("div"), make("div", { class: "row" }), sentence()];
  fill(el, name, FIGURE, handles, stage, says);
  const say = (text) => {
    if (says.textContent !== text) says.textContent = text;
  };
  return { handles, stage, say };
}

/** One of several: radio buttons in a group with a name. */
function choice(legend, options, value, changed) {
  const name = `nx${controls++}-${Math.random().toString(36).slice(2)}`;
  const buttons = options.map((option) => {
    const input = make("input", { type: "radio", name, value: option, checked: option === value });
    input.addEventListener("change", () => changed(option));
    return make("label", {}, input, String(option));
  });
  return make("fieldset", {}, make("legend", {}, legend), ...buttons);
}

/** A number between two others; `shown` says what stands beside it. */
function slide(label, { min, max, step, value }, changed, shown = (v) => number(v)) {
  const output = make("output", {}, shown(value));
  const input = make("input", { type: "range", min, max, step });
  input.value = value;
  const tell = () => {
    output.textContent = shown(+input.value);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => {
    tell();
    changed(+input.value);
  });
  const element = make("label", { class: "slide" }, `${label} `, input, output);
  tell();
  return Object.assign(element, {
    set: (v) => {
      input.value = v;
      tell();
    },
  });
}

/** A box to tick. */
function tick(label, checked, changed) {
  const input = make("input", { type: "checkbox", checked });
  input.addEventListener("change", () => changed(input.checked));
  return make("label", {}, input, label);
}

/** A button that plays through the steps of a slider, from the first; one step at a press where motion is unwanted. */
function player(slider, steps, changed, every = 350, first = 0) {
  let at = +slider.querySelector("input").value - first;
  let timer = 0;
  const show = (place) => {
    at = place;
    slider.set(place + first);
    changed(place + first);
  };
  const button = make("button", { type: "button" }, calm ? "Next step" : "Play");
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.textContent = calm ? "Next step" : "Play";
  };
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (calm) return show((at + 1) % steps);
    if (at === steps - 1) show(0);
    button.textContent = "Stop";
    timer = setInterval(() => {
      show(Math.min(at + 1, steps - 1));
      if (at === steps - 1 || !button.isConnected) stop();
    }, every);
  });
  slider.addEventListener("input", (event) => {
    at = +event.target.value - first;
    if (timer) stop();
  });
  return button;
}

/** At most so many decimals, and no zeros at the end. */
function number(value, digits = 2) {
  const rounded = Number(value.toFixed(digits));
  return String(rounded === 0 ? 0 : rounded);
}

const sum = (values) => values.reduce((a, b) => a + b, 0);
const mean = (values) => sum(values) / values.length;
const variance = (values) => {
  const middle = mean(values);
  return mean(values.map((v) => (v - middle) ** 2));
};
const range = (count) => Array.from({ length: count }, (_, index) => index);
