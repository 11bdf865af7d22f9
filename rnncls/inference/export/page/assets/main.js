// Puts the parts together: what is typed is read at once, and explained in the background.

const MAX_EXPLAINED = 400; // More tokens would take the browser minutes.

/** Read the model that is written into the page. */
function loadModel() {
  const description = JSON.parse(document.getElementById("model").textContent);
  const weights = document.getElementById("weights");
  const arrays = readArrays(description.arrays, decodeText(weights.textContent));
  weights.remove();
  return {
    labels: description.labels,
    thresholds: description.thresholds,
    tokenizer: new Tokenizer(description.tokenizer, description.words),
    network: new Network(description, arrays),
  };
}

/** Say how many tokens were read; some models read unknown words by their parts. */
function describeReading({ tokens, tokenIds, isEmpty, numCut }, readsUnknown) {
  if (isEmpty) return "The text has no token, so the prediction says nothing about it.";
  const numUnknown = tokenIds.filter((tokenId) => tokenId === UNKNOWN_ID).length;
  const count = `${tokens.length} token${tokens.length > 1 ? "s" : ""}`;
  const cut = numCut > 0 ? ` Only the first ${tokens.length} of ${tokens.length + numCut} tokens were read.` : "";
  if (numUnknown === tokens.length && !readsUnknown) return `${count}, none of them known: the prediction says nothing about the words.${cut}`;
  return `${count}${numUnknown > 0 ? `, ${numUnknown} unknown` : ""}.${cut}`;
}

/** The page. */
class Page {
  constructor({ labels, thresholds, tokenizer, network }) {
    this.thresholds = thresholds;
    this.tokenizer = tokenizer;
    this.network = network;
    this.tokenView = new TokenView(labels, thresholds, (label) => this.bars.showPicked(label));
    this.bars = new Bars(labels, thresholds, (label) => this.tokenView.choose(label));
    this.trajectory = new Trajectory(labels, thresholds);
    this.background = new Background();
    this.reading = document.getElementById("reading");
    this.text = document.getElementById("text");
    this.text.addEventListener("input", () => this.schedule());
    document.getElementById("clear").addEventListener("click", () => this.setText(""));
    for (const button of document.querySelectorAll(".example")) {
      button.addEventListener("click", () => this.setText(button.textContent));
    }
    this.update();
  }

  setText(text) {
    this.text.value = text;
    this.update();
    this.text.focus();
  }

  /** Read the text before the next picture, once for all keys until then. */
  schedule() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.update());
  }

  update() {
    const text = this.text.value;
    this.background.stop();
    if (text.trim() === "") {
      this.reading.textContent = "Type or paste a text.";
      this.bars.show(null);
      this.tokenView.show([], [], null, "ltr");
      this.trajectory.show([], []);
      return;
    }
    const reading = this.tokenizer.tokenize(text);
    const logits = this.network.read(reading.tokenIds, reading.tokens);
    this.reading.textContent = describeReading(reading, this.network.charNgrams !== null);
    const probs = this.network.toProbs(logits);
    this.bars.show(probs);
    const { direction } = getComputedStyle(this.text);
    const [predicted = rank(probs)[0]] = decide(probs, this.thresholds);
    this.tokenView.show(reading.tokens, reading.tokenIds, logits, direction, predicted);
    this.explain(reading.tokens);
  }

  explain(tokens) {
    if (tokens.length > MAX_EXPLAINED) {
      this.trajectory.explainAbsence(`Only texts of up to ${MAX_EXPLAINED} tokens are explained.`);
      this.tokenView.forget();
      return;
    }
    const probs = [];
    const without = [];
    const { network } = this;
    const followed = collect(network.prefixes(), (logits) => probs.push(network.toProbs(logits)));
    const occluded = collect(network.occlusions(), (logits) => without.push(logits));
    const show = once(() => this.trajectory.show(tokens, probs));
    this.background.run([followed, show, occluded], () => this.tokenView.explain(without));
  }
}

/** Yield after each value was handed over. */
function* collect(values, add) {
  for (const value of values) {
    add(value);
    yield;
  }
}

/** Call a function, as one step of a job. */
function* once(action) {
  action();
  yield;
}

try {
  window.page = new Page(loadModel());
} catch (error) {
  const failure = document.getElementById("failure");
  failure.hidden = false;
  failure.textContent = `This browser cannot run the classifier: ${error.message}. Use a browser of 2023 or later.`;
}
