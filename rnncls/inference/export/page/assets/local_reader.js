// Reads texts with the model that is written into the page.

/** Read the model that is written into the page. */
function loadClassifier() {
  const description = JSON.parse(document.getElementById("model").textContent);
  const weights = document.getElementById("weights");
  const arrays = readArrays(description.arrays, decodeText(weights.textContent));
  weights.remove();
  const tokenizer = new Tokenizer(description.tokenizer, description.words);
  const network = new Network(description, arrays);
  const { labels, thresholds } = description;
  return { labels, thresholds, reader: new LocalReader(tokenizer, network) };
}

/** Reads a text at once, and explains it in the background. */
class LocalReader {
  constructor(tokenizer, network) {
    this.tokenizer = tokenizer;
    this.network = network;
    this.background = new Background();
  }

  stop() {
    this.background.stop();
  }

  /** Read a text and show on the page what is found. */
  read(text, page) {
    const { tokens, tokenIds, isEmpty, numCut } = this.tokenizer.tokenize(text);
    const logits = this.network.read(tokenIds, tokens);
    const isUnknown = Array.from(tokenIds, (tokenId) => tokenId === UNKNOWN_ID);
    const readsUnknown = this.network.charNgrams !== null;
    const fits = this.network.decideFits(logits, isUnknown, isEmpty);
    const probs = this.network.toProbs(logits);
    page.showReading({ tokens, isUnknown, isEmpty, numCut, readsUnknown, logits, probs, fits });
    if (tokens.length > MAX_EXPLAINED) page.explainAbsence();
    else this.explain(tokens, page);
  }

  explain(tokens, page) {
    const probs = [];
    const without = [];
    const { network } = this;
    const followed = collect(network.prefixes(), (logits) => probs.push(network.toProbs(logits)));
    const occluded = collect(network.occlusions(), (logits) => without.push(logits));
    const show = once(() => page.showTrajectory(tokens, probs));
    this.background.run([followed, show, occluded], () => page.showOcclusions(without));
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
