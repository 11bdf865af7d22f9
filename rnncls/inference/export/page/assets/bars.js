// The prediction: a sentence, and a bar for each class or label.

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

/** Return the predicted classes: the likeliest one, or all labels that reach their threshold, the likeliest first. */
function decide(probs, thresholds) {
  const ranked = rank(probs);
  return thresholds ? ranked.filter((label) => probs[label] >= thresholds[label]) : ranked.slice(0, 1);
}

/** The bars and the sentence above them. */
class Bars {
  /** Several labels a text have thresholds, and `pick` is called with the one that is clicked. */
  constructor(labels, thresholds, pick) {
    this.labels = labels;
    this.thresholds = thresholds;
    this.pick = pick;
    this.noun = thresholds ? "labels" : "classes";
    this.picked = -1;
    this.verdict = document.getElementById("verdict");
    this.spoken = document.getElementById("spoken");
    this.body = document.querySelector("#bars tbody");
    this.button = document.getElementById("all-classes");
    this.showsAll = labels.length <= NUM_FIXED;
    this.rows = [];
    this.probs = null;
    this.fits = undefined;
    this.button.hidden = this.showsAll;
    this.button.addEventListener("click", () => this.toggle());
    this.name();
    this.draw();
  }

  /** Show the probabilities of a text, or none; a text that fits no class has `fits` false. */
  show(probs, fits) {
    this.probs = probs;
    this.fits = fits;
    this.draw();
    const sentence = probs ? this.describe() : "";
    this.verdict.textContent = sentence || "–";
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.spoken.textContent = sentence;
    }, SPOKEN_AFTER_MS);
  }

  /** Mark the label that the tokens are coloured for. */
  showPicked(label) {
    if (!this.thresholds) return;
    this.picked = label;
    this.draw();
  }

  describe() {
    const chosen = decide(this.probs, this.thresholds);
    if (chosen.length === 0) return "No label reaches its threshold";
    const named = chosen.slice(0, NUM_FIXED).map((label) => `${isolate(this.labels[label])}, ${percent(this.probs[label])}`);
    const more = chosen.length > NUM_FIXED ? `; and ${chosen.length - NUM_FIXED} more` : "";
    const sentence = named.join("; ") + more;
    return this.fits === false ? `Fits none of the classes; the nearest: ${sentence}` : sentence;
  }

  toggle() {
    this.showsAll = !this.showsAll;
    this.name();
    this.draw();
  }

  name() {
    const all = `Show all ${this.labels.length} ${this.noun}`;
    this.button.textContent = this.showsAll ? `Show ${NUM_FIXED} ${this.noun}` : all;
    this.button.setAttribute("aria-expanded", String(this.showsAll));
  }

  draw() {
    const { probs, labels } = this;
    const ranked = probs ? rank(probs) : labels.map((_, label) => label);
    const chosen = probs ? decide(probs, this.thresholds) : [];
    const isFixed = labels.length <= NUM_FIXED && !this.thresholds;
    const shown = isFixed ? labels.map((_, label) => label) : ranked.slice(0, this.showsAll ? labels.length : NUM_FIXED);
    this.resize(shown.length);
    shown.forEach((label, index) => {
      const { row, name, bar, number } = this.rows[index];
      const isChosen = chosen.includes(label);
      const prob = probs ? probs[label] : 0;
      row.className = isChosen ? "likely" : "";
      name.textContent = labels[label];
      number.textContent = probs ? percent(prob) : "";
      bar.style.width = `${100 * prob}%`;
      bar.style.background = pickColor(labels.length > NUM_COLORS ? 0 : label);
      if (this.thresholds) this.drawThreshold(this.rows[index], label, isChosen);
    });
  }

  drawThreshold(row, label, isChosen) {
    row.label = label;
    row.name.setAttribute("aria-pressed", String(label === this.picked));
    row.limit.style.insetInlineStart = `${100 * this.thresholds[label]}%`;
    row.number.title = `threshold ${percent(this.thresholds[label])}`;
    if (!isChosen) row.bar.style.background = "var(--faint)";
  }

  resize(length) {
    while (this.rows.length > length) this.rows.pop().row.remove();
    while (this.rows.length < length) this.addRow();
  }

  addRow() {
    const row = create("tr");
    const header = create("th");
    header.scope = "row";
    header.dir = "auto";
    const cell = create("td");
    const frame = create("div", "bar");
    const bar = create("span");
    frame.append(bar);
    cell.append(frame);
    cell.setAttribute("aria-hidden", "true");
    const number = create("td", "number");
    row.append(header, cell, number);
    this.body.append(row);
    this.rows.push(this.thresholds ? this.addButton({ row, header, frame, bar, number }) : { row, name: header, bar, number });
  }

  /** Make the name of a label a button, and add the mark of its threshold. */
  addButton({ row, header, frame, bar, number }) {
    const name = create("button", "pick");
    name.type = "button";
    header.append(name);
    const limit = create("i", "limit");
    frame.append(limit);
    const entry = { row, name, bar, number, limit, label: -1 };
    name.addEventListener("click", () => this.pick(entry.label));
    return entry;
  }
}
