// Draws the formulas, chooses for each slide the largest type with which it fits on the screen, and
// starts reveal.js. Sizes are in the pixels of a screen of WIDTH x HEIGHT; reveal.js scales the whole
// slide to any other.
"use strict";

const WIDTH = 1280, HEIGHT = 720;
const TYPE_SIZES = [30, 28, 26, 24, 22, 20];
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
  const pictures = [...slide.querySelectorAll("img")];
  if (fitType(slide, pictures, GROWTHS_OF_FIGURES)) return;
  // A figure comes before the code that draws it.
  const cells = pictures.map((it) => it.closest(".jp-CodeCell"));
  cells.forEach((it) => it?.querySelector(".jp-Cell-inputWrapper")?.remove());
  const long = [...slide.querySelectorAll("pre")].filter(isTooWide);  // an error message, for instance
  long.forEach((it) => it.classList.add("wrapped"));
  fitType(slide, pictures, [...GROWTHS_OF_FIGURES, SMALLEST_FIGURE]);
}

function fitType(slide, pictures, growths) {
  return growths.some((growth) => TYPE_SIZES.some((size) => {
    slide.style.fontSize = `${size}px`;
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
