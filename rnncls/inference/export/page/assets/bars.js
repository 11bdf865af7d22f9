// The prediction: a sentence, and a bar for each class.

const NUM_FIXED = 10; // Up to this many classes keep their order; of more, the most probable are shown.
const NUM_COLORS = 8;
const SPOKEN_AFTER_MS = 700;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** Return a new element. */
function create(tag, className = "", text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/** Return one of the colours of classes. */
function pickColor(index) {
  return `var(--class-${index % NUM_COLORS})`;
}

function percent(prob) {
  return `${(100 * prob).toFixed(1)}%`;
}

/** Return a name that does not reorder what stands beside it in a sentence. */
function isolate(name) {
  return RIGHT_TO_LEFT.test(name) ? `\u2068${name}\u2069` : name;
}

/** Return the indices of all classes, the likeliest first; of equal ones, the first. */
function rank(probs) {
  return Array.from(probs, (_, label) => label).sort((one, other) => probs[other] - probs[one] || one - other);
}

/** The bars and the sentence above them. */
class Bars {
  constructor(labels) {
    this.labels = labels;
    this.verdict = document.getElementById("verdict");
    this.spoken = document.getElementById("spoken");
    this.body = document.querySelector("#bars tbody");
    this.button = document.getElementById("all-classes");
    this.showsAll = labels.length <= NUM_FIXED;
    this.rows = [];
    this.probs = null;
    this.button.hidden = this.showsAll;
    this.button.addEventListener("click", () => this.toggle());
    this.name();
    this.draw();
  }

  /** Show the probabilities of a text, or none. */
  show(probs) {
    this.probs = probs;
    this.draw();
    const sentence = probs ? this.describe() : "";
    this.verdict.textContent = sentence || "–";
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.spoken.textContent = sentence;
    }, SPOKEN_AFTER_MS);
  }

  describe() {
    const [best] = rank(this.probs);
    return `${isolate(this.labels[best])}, ${percent(this.probs[best])}`;
  }

  toggle() {
    this.showsAll = !this.showsAll;
    this.name();
    this.draw();
  }

  name() {
    const all = `Show all ${this.labels.length} classes`;
    this.button.textContent = this.showsAll ? `Show ${NUM_FIXED} classes` : all;
    this.button.setAttribute("aria-expanded", String(this.showsAll));
  }

  draw() {
    const { probs, labels } = this;
    const ranked = probs ? rank(probs) : labels.map((_, label) => label);
    const isFixed = labels.length <= NUM_FIXED;
    const shown = isFixed ? labels.map((_, label) => label) : ranked.slice(0, this.showsAll ? labels.length : NUM_FIXED);
    this.resize(shown.length);
    shown.forEach((label, index) => {
      const { row, name, bar, number } = this.rows[index];
      const prob = probs ? probs[label] : 0;
      row.className = probs && label === ranked[0] ? "likely" : "";
      name.textContent = labels[label];
      number.textContent = probs ? percent(prob) : "";
      bar.style.width = `${100 * prob}%`;
      bar.style.background = pickColor(labels.length > NUM_COLORS ? 0 : label);
    });
  }

  resize(length) {
    while (this.rows.length > length) this.rows.pop().row.remove();
    while (this.rows.length < length) this.addRow();
  }

  addRow() {
    const row = create("tr");
    const name = create("th");
    name.scope = "row";
    name.dir = "auto";
    const cell = create("td");
    const frame = create("div", "bar");
    const bar = create("span");
    frame.append(bar);
    cell.append(frame);
    cell.setAttribute("aria-hidden", "true");
    const number = create("td", "number");
    row.append(name, cell, number);
    this.body.append(row);
    this.rows.push({ row, name, bar, number });
  }
}
