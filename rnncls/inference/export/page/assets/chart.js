// The prediction after each token: a chart, and a slider that tells it in words.

const MARGIN = { left: 40, right: 8, top: 8, bottom: 22 };
const MAX_LINES = 8;
const NUM_TOLD = 3;
const SCALES = [0.1, 0.25, 0.5, 1]; // The highest probability of the chart.
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "12 4", "4 2 1 2", "1 2", "6 6"];

/** Return a new element of a picture. */
function createSvg(tag, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.textContent = text;
  return element;
}

/** The probability of the likeliest classes after each token. */
class Trajectory {
  constructor(labels, thresholds) {
    this.labels = labels;
    this.thresholds = thresholds;
    this.chart = document.getElementById("chart");
    this.legend = document.getElementById("chart-legend");
    this.slider = document.getElementById("position");
    this.told = document.getElementById("position-text");
    this.decision = document.getElementById("decision");
    this.show([], []);
    this.slider.addEventListener("input", () => this.move());
    new ResizeObserver(() => this.draw()).observe(this.chart);
  }

  /** Show the probabilities after each token. */
  show(tokens, probs) {
    this.tokens = tokens;
    this.probs = probs;
    this.verdicts = probs.map((row) => decide(row, this.thresholds).sort((one, other) => one - other));
    this.slider.max = String(Math.max(tokens.length, 1));
    this.slider.value = this.slider.max;
    this.slider.disabled = tokens.length === 0;
    this.shown = this.chooseClasses();
    const largest = Math.max(0, ...probs.map((row) => Math.max(...row)));
    this.scale = SCALES.find((scale) => largest > 0 && largest <= scale) ?? 1;
    this.decision.textContent = tokens.length > 0 ? this.describeDecision() : "";
    this.drawLegend();
    this.draw();
    this.move();
  }

  /** Say why there is nothing to show. */
  explainAbsence(message) {
    this.show([], []);
    this.decision.textContent = message;
  }

  /** Return the classes that get a line: those that lead somewhere, then the likeliest. */
  chooseClasses() {
    if (this.probs.length === 0) return [];
    const leading = [...new Set(this.verdicts.flat())];
    const last = rank(this.probs[this.probs.length - 1]);
    return [...new Set([last[0], ...leading, ...last])].slice(0, MAX_LINES);
  }

  /** Say from which token on the class stays the same, as `rnncls explain --trajectory` does. */
  describeDecision() {
    const last = this.verdicts.length - 1;
    let index = last;
    while (index > 0 && String(this.verdicts[index - 1]) === String(this.verdicts[last])) index -= 1;
    const numAfter = last - index;
    const pronoun = this.thresholds ? "them" : "it";
    let rest = "it is the only token";
    if (numAfter === 1) rest = `the token after it does not change ${pronoun}`;
    if (numAfter > 1) rest = `the ${numAfter} tokens after it do not change ${pronoun}`;
    const label = this.verdicts[last].map((chosen) => isolate(this.labels[chosen])).join(", ") || "none";
    const subject = this.thresholds ? "the labels are" : "the class is";
    const token = isolate(this.tokens[index]);
    if (numAfter === 0 && last > 0) return `${subject.replace("t", "T")} final only at the last token, “${token}”: ${label}.`;
    return `From token ${index + 1} of ${last + 1}, “${token}”, on, ${subject} ${label}: ${rest}.`;
  }

  /** Tell the prediction at the slider's position. */
  move() {
    const index = Number(this.slider.value) - 1;
    let text = "";
    if (index < this.probs.length) {
      const probs = this.probs[index];
      const parts = rank(probs).slice(0, NUM_TOLD).map((label) => `${isolate(this.labels[label])} ${percent(probs[label])}`);
      text = `After token ${index + 1}, “${isolate(this.tokens[index])}”: ${parts.join(", ")}`;
    }
    this.told.textContent = text;
    this.slider.setAttribute("aria-valuetext", text);
    this.drawCursor(index);
  }

  get width() {
    return Math.max(this.chart.clientWidth, 100);
  }

  get height() {
    return Math.max(this.chart.clientHeight, 80);
  }

  placeX(index) {
    const room = this.width - MARGIN.left - MARGIN.right;
    return MARGIN.left + (this.probs.length > 1 ? (room * index) / (this.probs.length - 1) : room / 2);
  }

  placeY(prob) {
    return MARGIN.top + (1 - prob / this.scale) * (this.height - MARGIN.top - MARGIN.bottom);
  }

  draw() {
    this.chart.replaceChildren(...this.createGrid(), ...this.shown.flatMap((label) => this.createLine(label)));
    this.cursor = null;
    this.drawCursor(Number(this.slider.value) - 1);
  }

  createGrid() {
    const right = this.width - MARGIN.right;
    const parts = [0, this.scale / 2, this.scale].flatMap((prob) => {
      const y = this.placeY(prob);
      const line = createSvg("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y, y2: y });
      const text = createSvg("text", { x: MARGIN.left - 6, y: y + 4, "text-anchor": "end" }, `${+(100 * prob).toFixed(1)}%`);
      return [line, text];
    });
    const bottom = this.height - 4;
    parts.push(createSvg("text", { x: MARGIN.left, y: bottom }, "first token"));
    parts.push(createSvg("text", { x: right, y: bottom, "text-anchor": "end" }, "last token"));
    return parts;
  }

  createLine(label) {
    const place = (row, index) => `${this.placeX(index).toFixed(1)},${this.placeY(row[label]).toFixed(1)}`;
    const style = this.styleOf(label);
    const line = createSvg("polyline", { points: this.probs.map(place).join(" "), style });
    if (this.probs.length > 1) return [line];
    const [x, y] = place(this.probs[0], 0).split(",");
    return [line, createSvg("circle", { cx: x, cy: y, r: 4, style: `fill: ${this.colorOf(label)}` })];
  }

  /** The number of a line: that of its class, if each class has a colour of its own. */
  numberOf(label) {
    return this.labels.length > NUM_COLORS ? this.shown.indexOf(label) : label;
  }

  colorOf(label) {
    return pickColor(this.numberOf(label));
  }

  styleOf(label) {
    const dash = DASHES[this.numberOf(label) % DASHES.length];
    return `stroke: ${this.colorOf(label)}; stroke-dasharray: ${dash || "none"}`;
  }

  drawCursor(index) {
    this.cursor?.remove();
    if (index >= this.probs.length) return;
    const x = this.placeX(index);
    const ends = { y1: MARGIN.top, y2: this.height - MARGIN.bottom };
    this.cursor = createSvg("line", { class: "cursor", x1: x, x2: x, ...ends });
    this.chart.append(this.cursor);
  }

  drawLegend() {
    const items = this.shown.map((label) => {
      const item = create("li");
      const sample = createSvg("svg", { width: 28, height: 8 });
      const style = `${this.styleOf(label)}; stroke-width: 2.5`;
      sample.append(createSvg("line", { x1: 0, x2: 28, y1: 4, y2: 4, style }));
      item.append(sample, " ", create("bdi", "", this.labels[label]));
      return item;
    });
    this.legend.replaceChildren(...items);
  }
}
