// The tokens of the text, coloured by what they add to the score of a class.

const WEAK = 0.05; // Below this share of the strongest effect a token has no line below.

/** Shows tokens, and their effects once they are computed. */
class TokenView {
  /** `onChoice` is called with the label that is explained. */
  constructor(labels, thresholds, onChoice) {
    this.onChoice = onChoice;
    this.element = document.getElementById("tokens");
    this.table = document.getElementById("effects");
    this.choice = document.getElementById("explained");
    this.spans = [];
    this.tokens = [];
    /** The logits without each token; null until they are all computed. */
    this.without = null;
    this.logits = null;
    this.addChoices(labels, thresholds ? "the most probable label of the text" : "the predicted class");
    this.choice.addEventListener("change", () => this.changeChoice());
    this.table.addEventListener("toggle", () => this.color());
  }

  addChoices(labels, first) {
    this.choice.append(new Option(first, "-1"));
    labels.forEach((label, index) => this.choice.append(new Option(label, String(index))));
  }

  /** Explain a label. */
  choose(label) {
    this.choice.value = String(label);
    this.changeChoice();
  }

  changeChoice() {
    if (this.logits) this.onChoice(this.label);
    this.color();
  }

  /** Show the tokens of a text; a token that was there before keeps its colour for now. `predicted` is the likeliest of its labels. */
  show(tokens, isUnknown, logits, direction, predicted) {
    this.element.dir = direction;
    const old = this.spans;
    this.logits = logits;
    this.predicted = predicted;
    this.without = null;
    this.isUnknown = isUnknown;
    this.spans = tokens.map((token, index) => {
      if (token === this.tokens[index]) return old[index];
      const span = create("bdi", "token", token);
      this.mark(span, index);
      return span;
    });
    this.tokens = tokens;
    this.element.replaceChildren(...this.spans.flatMap((span) => [span, " "]));
    if (logits) this.onChoice(this.label);
    if (tokens.length === 0) this.color();
  }

  mark(span, index) {
    span.classList.toggle("unknown", this.isUnknown[index]);
  }

  /** Show the tokens without colours. */
  forget() {
    this.spans.forEach((span, index) => {
      span.className = "token";
      span.style.background = "";
      span.title = "";
      this.mark(span, index);
    });
    this.color();
  }

  /** Show what the tokens add, from the logits without each of them. */
  explain(without) {
    this.without = without;
    this.color();
  }

  get label() {
    const chosen = Number(this.choice.value);
    return chosen < 0 ? this.predicted : chosen;
  }

  color() {
    const body = this.table.querySelector("tbody");
    body.replaceChildren();
    if (!this.without) return;
    const { label } = this;
    const effects = this.without.map((logits) => this.logits[label] - logits[label]);
    const strongest = Math.max(...effects.map(Math.abs), 1e-9);
    effects.forEach((effect, index) => this.colorToken(this.spans[index], index, effect, strongest));
    if (this.table.open) body.append(...effects.map((effect, index) => this.createRow(index, effect)));
  }

  colorToken(span, index, effect, strongest) {
    const strength = Math.abs(effect) / strongest;
    const side = effect < 0 ? "against" : "for";
    const share = `${Math.round(100 * strength)}%`;
    span.className = `token ${side}`;
    span.classList.toggle("weak", strength < WEAK);
    span.style.background = `color-mix(in srgb, var(--${side}) ${share}, transparent)`;
    span.title = `${writeEffect(effect)}`;
    this.mark(span, index);
  }

  createRow(index, effect) {
    const row = create("tr");
    const name = create("th", "", this.tokens[index]);
    name.scope = "row";
    name.dir = "auto";
    const isKnown = !this.isUnknown[index];
    row.append(name, create("td", "number", writeEffect(effect)), create("td", "", isKnown ? "known" : "unknown"));
    return row;
  }
}

/** Write a number with its sign. */
function writeEffect(effect) {
  const size = Math.abs(effect).toFixed(2);
  return effect < 0 && size !== "0.00" ? `−${size}` : `+${size}`;
}
