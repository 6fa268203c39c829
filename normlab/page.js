// What everything to touch shares: native elements, keys of its own, one style for light and dark.

const STYLE = `
.nx{max-width:46rem;font:inherit;line-height:1.45;color:inherit}
.nx *{box-sizing:border-box}
.nx legend{float:left;padding:0;margin:0 .4rem 0 0;font-weight:600;font-size:1em;width:auto;border:0;color:inherit}
.nx label{display:inline-flex;gap:.35rem;align-items:center;margin:0}
.nx input{margin:0;accent-color:#0072B2}
.nx button{font:inherit;color:inherit;background:transparent;border:1px solid currentColor;border-radius:4px;padding:.1rem .7rem;cursor:pointer}
.nx :focus-visible{outline:3px solid #D55E00;outline-offset:2px}
`;

/** Make an element with attributes (`on...` are listeners) and children. */
function make(tag, attributes = {}, ...children) {
  const space = DRAWN.has(tag) ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml";
  const element = document.createElementNS(space, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
const DRAWN = new Set("svg g path line circle ellipse rect polygon polyline text title".split(" "));

/** Fill a place with elements in a group that has a name; a notebook or lecture has other uses for their keys. */
function fill(el, name, style, ...children) {
  const keep = (event) => {
    const plain = !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey);
    if (plain && event.key !== "Escape") event.stopPropagation();
  };
  const group = { class: "nx", role: "group", "aria-label": name, onkeydown: keep };
  el.replaceChildren(make("div", group, make("style", {}, STYLE + style), ...children));
}

/** A sentence that is read out when it changes. */
function sentence() {
  return make("p", { class: "says", role: "status", "aria-live": "polite" });
}
