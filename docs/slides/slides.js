// Draws the formulas, chooses for each slide the largest type with which it fits on the screen, and
// starts reveal.js. Sizes are in the pixels of a screen of WIDTH x HEIGHT; reveal.js scales the whole
// slide to any other.
"use strict";

const WIDTH = 1280, HEIGHT = 720;
const TYPE_SIZES = [34, 32, 30, 28, 26, 24, 22, 20];
// That of code, of the text's: lines of code do not break, and text should not be small for one of them.
const CODE_SIZES = [0.8, 0.7, 0.6];
const LARGE = 28;
const SIZES = CODE_SIZES.flatMap((code) => TYPE_SIZES.map((size) => ({ size, code })))
  .sort((a, b) => (b.size >= LARGE) - (a.size >= LARGE));
// An explorable is enlarged as a whole.
const ZOOMS = [2.2, 2, 1.8, 1.65, 1.5, 1.4, 1.3, 1.2, 1.1];
// The letters in a figure have 14.6 pixels where it is as wide as in a notebook: 20 pixels are best.
const GROWTHS_OF_FIGURES = [1.37, 1.2, 1];
const SMALLEST_FIGURE = 0.75;

window.MathJax = {
  startup: { typeset: false },
  svg: { fontCache: "global" },
  tex: { inlineMath: [["$", "$"], ["\\(", "\\)"]], processEscapes: true, tags: "none" },
  options: { enableMenu: false },
};

function fit(slide) {
  const explorable = slide.querySelector(".nx");
  if (explorable) {
    slide.style.fontSize = "26px";
    ZOOMS.some((zoom) => { explorable.style.zoom = zoom; return holds(slide); });
    // Its keys are its own, not the lecture's.
    explorable.addEventListener("keydown", (event) => event.key === "Escape" || event.stopPropagation());
    return;
  }
  const pictures = [...slide.querySelectorAll("img")];
  if (fitType(slide, pictures, GROWTHS_OF_FIGURES)) return;
  // What code shows comes before the code.
  const cells = [...slide.querySelectorAll(".jp-CodeCell:has(.jp-OutputArea-output)")];
  cells.forEach((it) => it.querySelector(".jp-Cell-inputWrapper")?.remove());
  const long = [...slide.querySelectorAll("pre")].filter(isTooWide);  // an error message, for instance
  long.forEach((it) => it.classList.add("wrapped"));
  if (fitType(slide, pictures, [...GROWTHS_OF_FIGURES, SMALLEST_FIGURE])) return;
  slide.querySelector(".jp-MarkdownCell.fragment, .fragment .jp-MarkdownCell")?.remove();  // it is in the notes
  fitType(slide, pictures, [...GROWTHS_OF_FIGURES, SMALLEST_FIGURE]);
}

function fitType(slide, pictures, growths) {
  return growths.some((growth) => SIZES.some(({ size, code }) => {
    slide.style.fontSize = `${size}px`;
    slide.style.setProperty("--code", `${Math.max(20, Math.floor(code * size))}px`);
    return enlarge(slide, pictures) >= growth && holds(slide);
  }));
}

function holds(slide) {
  return ![...slide.querySelectorAll("pre, table, mjx-container")].some(isTooWide)
    && slide.scrollHeight <= HEIGHT && slide.scrollWidth <= WIDTH;
}

function isTooWide(element) {
  return element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 2;
}

// Give the pictures of a slide the room that the rest leaves; return by how much they have grown.
function enlarge(slide, pictures) {
  if (pictures.length === 0) return Infinity;
  for (const it of pictures) {
    it.dataset.natural ||= parseFloat(it.style.width) || it.naturalWidth;
    it.style.width = "1px";
  }
  const wide = slide.clientWidth - 2 * parseFloat(getComputedStyle(slide).paddingLeft);
  const natural = pictures.map((it) => Number(it.dataset.natural));
  const heights = pictures.map((it, i) => natural[i] * it.naturalHeight / it.naturalWidth);
  slide.style.minHeight = "0";
  const room = HEIGHT - slide.offsetHeight;
  slide.style.minHeight = "";
  const growth = Math.min(
    wide / Math.max(...natural), room / heights.reduce((sum, it) => sum + it, 0));
  pictures.forEach((it, i) => { it.style.width = `${Math.floor(growth * natural[i])}px`; });
  // As wide as the screen is as readable as it gets.
  return growth * Math.max(...natural) >= wide - 1 ? Infinity : growth;
}

window.addEventListener("load", async () => {
  await MathJax.startup.promise;
  await MathJax.typesetPromise();
  const slides = document.querySelector(".slides");
  // A slide that is not shown has no size.
  const fonts = [...document.fonts].filter((font) => font.family.includes("Source Sans"));
  await Promise.all(fonts.map((font) => font.load()));
  slides.querySelectorAll(":scope > section > section").forEach(fit);
  slides.classList.remove("measured");
  await Reveal.initialize({
    width: WIDTH,
    height: HEIGHT,
    margin: 0,
    minScale: 0.1,
    center: false,
    hash: true,
    navigationMode: "linear",
    slideNumber: "c/t",
    transition: "none",
    plugins: [RevealNotes],
  });
  document.body.dataset.ready = "yes";
});
