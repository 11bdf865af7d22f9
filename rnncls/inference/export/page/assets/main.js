// Puts the parts together: what is typed goes to a reader, which shows what it finds.

const MAX_EXPLAINED = 400; // More tokens would take the browser minutes.

/** Say how many tokens were read; some models read unknown words by their parts. */
function describeReading({ isUnknown, isEmpty, numCut, readsUnknown }) {
  if (isEmpty) return "The text has no token, so the prediction says nothing about it.";
  const numTokens = isUnknown.length;
  const numUnknown = isUnknown.filter(Boolean).length;
  const count = `${numTokens} token${numTokens > 1 ? "s" : ""}`;
  const cut = numCut > 0 ? ` Only the first ${numTokens} of ${numTokens + numCut} tokens were read.` : "";
  if (numUnknown === numTokens && !readsUnknown) return `${count}, none of them known: the prediction says nothing about the words.${cut}`;
  return `${count}${numUnknown > 0 ? `, ${numUnknown} unknown` : ""}.${cut}`;
}

/** Say on the page why it does not work. */
function showFailure(message) {
  const failure = document.getElementById("failure");
  failure.hidden = message === "";
  failure.textContent = message;
}

/** The page. */
class Page {
  constructor({ labels, thresholds, reader }) {
    this.thresholds = thresholds;
    this.reader = reader;
    this.tokenView = new TokenView(labels, thresholds, (label) => this.bars.showPicked(label));
    this.bars = new Bars(labels, thresholds, (label) => this.tokenView.choose(label));
    this.trajectory = new Trajectory(labels, thresholds);
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
    this.reader.stop();
    if (text.trim() === "") {
      this.reading.textContent = "Type or paste a text.";
      this.bars.show(null);
      this.tokenView.show([], [], null, "ltr");
      this.trajectory.show([], []);
      return;
    }
    this.reader.read(text, this);
  }

  /** Show the tokens of the text, and its probabilities. */
  showReading(reading) {
    showFailure("");
    this.reading.textContent = describeReading(reading);
    this.bars.show(reading.probs, reading.fits);
    const { direction } = getComputedStyle(this.text);
    const [predicted = rank(reading.probs)[0]] = decide(reading.probs, this.thresholds);
    this.tokenView.show(reading.tokens, reading.isUnknown, reading.logits, direction, predicted);
  }

  /** Show the probabilities after each token. */
  showTrajectory(tokens, probs) {
    this.trajectory.show(tokens, probs);
  }

  /** Show what the tokens add, from the logits without each of them. */
  showOcclusions(without) {
    this.tokenView.explain(without);
  }

  /** Say that the text is too long to be explained. */
  explainAbsence() {
    this.trajectory.explainAbsence(`Only texts of up to ${MAX_EXPLAINED} tokens are explained.`);
    this.tokenView.forget();
  }

  /** Say why there is no prediction. */
  fail(message) {
    showFailure(message);
  }
}

try {
  window.page = new Page(loadClassifier());
} catch (error) {
  showFailure(`This browser cannot run the classifier: ${error.message}. Use a browser of 2023 or later.`);
}
