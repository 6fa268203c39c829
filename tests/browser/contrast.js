// The contrast of every piece of text that can be seen, worst first: what axe leaves undecided, too.
(threshold) => {
  const sheet = document.createElement("canvas");
  [sheet.width, sheet.height] = [1, 1];
  const brush = sheet.getContext("2d", { willReadFrequently: true });
  const known = new Map();

  /** Red, green, blue and opacity of a colour in any of the ways CSS writes it. */
  function parsed(text) {
    if (!known.has(text)) {
      brush.clearRect(0, 0, 1, 1);
      brush.fillStyle = text;
      brush.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
      known.set(text, [r, g, b, a / 255]);
    }
    return known.get(text);
  }
  const over = ([r, g, b, a], ground) => [r, g, b].map((v, k) => a * v + (1 - a) * ground[k]);

  const grounds = new Map();
  function ground(element) {
    if (!element) return [255, 255, 255];
    if (!grounds.has(element)) {
      grounds.set(element, over(parsed(getComputedStyle(element).backgroundColor), ground(element.parentElement)));
    }
    return grounds.get(element);
  }
  function opacity(element) {
    let all = 1;
    for (let it = element; it; it = it.parentElement) all *= getComputedStyle(it).opacity;
    return all;
  }
  function light(colour) {
    const [r, g, b] = colour.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function seen(element) {
    const box = element.getBoundingClientRect();
    // A single pixel is for screen readers; what has no ink says nothing.
    return box.width > 1 && box.height > 1 && element.checkVisibility({ visibilityProperty: true })
      && !element.closest(":disabled, mjx-assistive-mml, script, style, noscript");
  }

  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const done = new Set();
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || done.has(element) || !seen(element)) continue;
    done.add(element);
    const style = getComputedStyle(element);
    const ink = parsed(element.closest("svg") ? style.fill : style.color);
    const below = ground(element);
    const shown = over([...ink.slice(0, 3), ink[3] * opacity(element)], below);
    const [a, b] = [light(shown), light(below)].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), walk.currentNode.data.trim().slice(0, 60), element.outerHTML.slice(0, 160)]);
  }
  found.sort((x, y) => x[0] - y[0]);
  return { pieces: found.length, worst: found[0]?.[0] ?? 21, low: found.filter(([ratio]) => ratio < threshold).slice(0, 20) };
}
