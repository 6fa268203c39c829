// Questions: answers to choose from, or a field for a number or words. The first answer counts.
//
// In their place stands what is read without a script, and what is asked comes from there: a question,
// and answers that unfold to what there is to say of them. What was answered is kept in the browser;
// where a kernel listens, it hears of it, and says what it did with it.

const ASKS = `
.nx .q{display:block;border:1px solid color-mix(in srgb,currentColor 40%,transparent);border-radius:6px;padding:.5rem .9rem;margin:0 0 1rem;min-width:0}
.nx .q legend{width:100%;margin:0 0 .3rem;font-weight:400}
.nx .q legend+*{clear:both}
.nx .q pre{margin:0 0 .4rem;overflow-x:auto}
.nx .q .answer{display:flex;gap:.5rem;align-items:baseline;padding:.2rem 0}
.nx .q [type=radio]{flex:none;font:inherit;width:1em;height:1em;position:relative;top:.12em}
.nx .q form label{gap:.6rem}
.nx .q form{display:flex;flex-wrap:wrap;gap:.4rem .7rem;align-items:center;margin:0}
.nx .q input[type=text]{font:inherit;color:inherit;background:transparent;border:1px solid currentColor;border-radius:4px;padding:.1rem .4rem;max-width:60vw}
.nx .q ::placeholder{color:inherit;opacity:.75}
.nx .q .says{min-height:1.45em;margin:.4rem 0 0}
.nx .where{display:flex;flex-wrap:wrap;gap:.2rem .9rem;align-items:baseline;margin:.4rem 0}
.nx .where[hidden]{display:none}
.jp-OutputArea-child:has(+.jp-OutputArea-child [data-bridge]){display:none}
`;

function render({ model, el }) {
  const [key, number, bridge, fold] = ["key", "number", "bridge", "fold"].map((name) => model.get(name));
  const plain = el.innerHTML;
  const lecture = document.querySelector(".reveal"); // each audience begins anew
  const all = [...el.querySelectorAll(".q")].map((q) => (number ? field(q, number, give) : choice(q, give)));
  const test = !fold;
  const given = {}; // by question: the first answer, and the last
  const [stored, said] = [(!lecture && read(key)) || {}, model.get("said")];
  for (const { id, judge } of all) {
    const kept = stored[id] ?? [said, said]; // what the browser knows, and else the kernel
    if ([0, 1].every((at) => judge(kept[at]).right !== undefined)) given[id] = kept;
  }
  const done = () => all.filter(({ id }) => given[id]);
  const right = ({ id, judge }) => judge(given[id][0]).right;

  const stands = make("span");
  const again = make("button", { type: "button", onclick: restart }, "Start again");
  const where = make("p", { class: "where", "data-bridge": bridge }, stands, again);
  const questions = all.map(({ element }) => element);
  fill(el, test ? "Test yourself" : "Guess first", ASKS, ...questions);
  (test ? el.firstChild : questions[0]).append(where);
  const tell = teller(bridge, () => done().map((one) => [given[one.id][0], right(one)]), settle);
  for (const { id, show } of done()) show(given[id][1]);
  settle(done().length && kept());
  if (done().length) report();

  function give(id, answer) {
    const before = given[id];
    given[id] = [before ? before[0] : answer, answer];
    if (before) return kept();
    settle(kept());
    report();
  }
  function report() {
    tell();
    if (document.readyState === "loading") addEventListener("DOMContentLoaded", unfold);
    else unfold();
  }
  /** Open what waited for a guess; a kernel does so by itself. */
  function unfold() {
    if (fold) for (const it of document.querySelectorAll(`details.${fold}`)) it.open = true;
  }
  function kept() {
    const what = test ? "Your first choices are" : "Your first guess is";
    return `${what} kept ${!lecture && write(key, given) ? "in this browser" : "until you leave: this browser lets no page keep anything"}.`;
  }
  function settle(place) {
    const [count, good] = [done().length, done().filter(right).length];
    const open = count < all.length;
    const sum = `${open ? `${count} of ${all.length} questions answered, ${good}` : `${good} of ${all.length}`} right at the first go.`;
    stands.textContent = count ? (test ? `${sum} ${place}` : place) : number ? "" : "By keyboard: arrows move, Enter or Space answers.";
    again.hidden = !count;
    where.hidden = Boolean(lecture || (!count && number));
  }
  function restart() {
    if (!lecture) write(key, {});
    el.innerHTML = plain;
    render({ model: { get: (name) => (name === "said" ? undefined : model.get(name)) }, el });
    el.querySelector("input").focus();
  }
}

/** A question with answers: radio buttons. An arrow key only moves; a click, Enter or Space answers. */
function choice(q, give) {
  const name = `nx-${Math.random().toString(36).slice(2)}`;
  const answers = [...q.querySelectorAll("details")].map((details) => {
    const [summary, ...verdict] = details.children;
    details.remove();
    const input = make("input", { type: "radio", name });
    const element = make("label", { class: "answer" }, input, make("span", {}, ...summary.childNodes));
    return { input, element, verdict, right: details.classList.contains("right") };
  });
  const says = sentence();
  let moved = false;
  const show = (at) => {
    answers[at].input.checked = true;
    says.replaceChildren(...answers[at].verdict.flatMap((it) => [...it.cloneNode(true).childNodes]));
  };
  const answer = (input) => {
    const at = answers.findIndex((one) => one.input === input);
    if (at < 0) return;
    show(at);
    give(q.dataset.q, at);
  };
  const listeners = {
    onkeydown: (event) => {
      moved = event.key.startsWith("Arrow");
      if ((event.key !== "Enter" && event.key !== " ") || event.shiftKey || event.ctrlKey) return;
      event.preventDefault();
      answer(event.target);
    },
    onkeyup: () => (moved = false),
    onclick: (event) => {
      if (moved) says.replaceChildren("Enter or Space gives this answer.");
      else answer(event.target);
    },
  };
  const [asked, ...code] = q.children;
  const element = make("fieldset", { class: "q", ...listeners }, make("legend", {}, ...asked.childNodes), ...code, ...answers.map((one) => one.element), says);
  return { id: q.dataset.q, element, show, judge: (at) => answers[at] ?? {} };
}

/** A question for a number or for words. */
function field(q, { answer, within, unit, shown, why }, give) {
  const words = typeof answer === "string";
  const input = make("input", { type: "text", autocomplete: "off", size: words ? 32 : 12, placeholder: words ? "in a few words" : "a number" });
  const says = sentence();
  const show = (said) => {
    const { right, sentence } = judge(said);
    const mark = { true: ["✓", "#2e9e5b"], false: ["✗", "#d9534f"] }[right];
    says.replaceChildren(...(mark ? [make("b", { style: `color:${mark[1]}` }, mark[0]), " "] : []), ...coded(sentence));
    input.value = said;
    return right;
  };
  const judge = (said) => {
    if (!said?.trim?.()) return { sentence: "Write your guess first; a rough one will do." };
    if (words) return { right: null, sentence: `You said: ${said}. It is: ${shown}. ${why}` };
    const value = asNumber(unit && said.endsWith(unit.trim()) ? said.slice(0, -unit.trim().length) : said);
    if (Number.isNaN(value)) return { sentence: `“${said.slice(0, 40)}” is no number: write one such as 4 or 0.5.` };
    const right = Math.abs(value - answer) <= within + 1e-9 * Math.abs(answer);
    const exact = right && [said, said + unit].includes(shown);
    const sentence = exact ? `You said ${shown}, and so it is.` : `You said ${said}; it is ${shown}.${right ? " Near enough." : ""}`;
    return { right, sentence: `${sentence} ${why}` };
  };
  const onsubmit = (event) => {
    event.preventDefault();
    const said = input.value.trim();
    if (show(said) !== undefined) give(q.dataset.q, said);
  };
  const form = make("form", { onsubmit }, make("label", {}, "Your guess", input), make("button", {}, "Say it"));
  const element = make("fieldset", { class: "q" }, make("legend", {}, ...q.children[0].childNodes), form, says);
  return { id: q.dataset.q, element, show, judge };
}

/** A number as people write it: "1,000", "0,5", "12 %", "about 4"; else NaN. */
function asNumber(said) {
  let text = said.replaceAll("−", "-").replaceAll("_", "").trim().replace(/%$/, "").trim();
  text = text.replace(/^(about|around|ca\.?|~|≈|=)\s*/i, "");
  if (/^-?\d{1,3}(,\d{3})+(\.\d+)?$/.test(text)) text = text.replaceAll(",", "");
  text = text.replaceAll(",", ".");
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : NaN;
}

/** A text in which what stands in backticks is code. */
function coded(text) {
  return text.split(/`([^`]+)`/).map((part, at) => (at % 2 ? make("code", {}, part) : part));
}

/** Tell a kernel through a field that it shows, unseen; what it answers is handed on. */
function teller(bridge, answers, heard) {
  let [box, last] = [null, ""];
  const listen = () => {
    const [to, ...said] = box.placeholder.split("|");
    if (to === last && said[0]) heard(said.join("|"));
  };
  const tell = (tries = 20) => {
    const found = document.querySelector(`.${bridge} input`);
    if (!found && tries) setTimeout(tell, 250, tries - 1); // it is drawn after this
    if (!found) return;
    if (found !== box) new MutationObserver(listen).observe(found, { attributeFilter: ["placeholder"] });
    [box, last] = [found, String(Date.now())];
    box.value = JSON.stringify([last, answers()]);
    box.dispatchEvent(new Event("input", { bubbles: true }));
  };
  return bridge ? tell : () => {};
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(`normlab ${key}`));
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    localStorage.setItem(`normlab ${key}`, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

export default { render };
