// Reads texts by asking the server that the page comes from.

const DELAY_MS = 100; // So that not every key is a request.
const TOO_LARGE = 413;

/** Read the labels that are written into the page. */
function loadClassifier() {
  const { labels, thresholds } = JSON.parse(document.getElementById("model").textContent);
  return { labels, thresholds, reader: new ServerReader(labels) };
}

/** Sends a text to the server; a new text ends the request before. */
class ServerReader {
  constructor(labels) {
    this.labels = labels;
    this.timer = null;
    this.controller = new AbortController();
  }

  stop() {
    clearTimeout(this.timer);
    this.controller.abort();
  }

  /** Read a text and show on the page what is found. */
  read(text, page) {
    this.controller = new AbortController();
    const { signal } = this.controller;
    this.timer = setTimeout(() => this.ask(text, page, signal), DELAY_MS);
  }

  async ask(text, page, signal) {
    try {
      const found = await this.explain(text, signal);
      if (found.tokens === undefined) {
        page.showReading(this.describeLong(await this.predict(text, signal)));
        page.explainAbsence();
        return;
      }
      const tokens = found.tokens.map(({ token }) => token);
      page.showReading(this.describe(found, tokens));
      page.showTrajectory(tokens, found.trajectory);
      page.showOcclusions(found.logits_without);
    } catch (error) {
      if (!signal.aborted) page.fail(`No answer from the server: ${error.message}`);
    }
  }

  /** Return the explanation of a text; that of a text that is too long has no tokens. */
  async explain(text, signal) {
    const body = { text, all_labels: true, trajectory: true };
    const response = await this.post("explain", body, signal);
    const answer = await response.json();
    const isTooLong = response.status === TOO_LARGE && answer.limit === "max_explained_tokens";
    if (!response.ok && !isTooLong) throw new Error(answer.error);
    return answer;
  }

  async predict(text, signal) {
    const response = await this.post("predict", { texts: [text] }, signal);
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    return answer.predictions[0];
  }

  post(path, body, signal) {
    const headers = { "Content-Type": "application/json" };
    return fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal });
  }

  describe(found, tokens) {
    return {
      tokens,
      isUnknown: found.tokens.map((token) => !token.is_known),
      isEmpty: found.num_tokens === 0,
      numCut: found.num_cut,
      readsUnknown: false,
      logits: found.logits,
      probs: this.order(found.probs),
      fits: found.fits,
    };
  }

  /** Describe a text whose tokens are not shown. */
  describeLong({ num_tokens: numTokens, num_unknown: numUnknown, num_cut: numCut, probs, fits }) {
    const isUnknown = Array.from({ length: numTokens }, (_, token) => token < numUnknown);
    const reading = { tokens: [], isUnknown, isEmpty: false, numCut, readsUnknown: false, logits: null };
    return { ...reading, probs: this.order(probs), fits };
  }

  /** Return probabilities in the order of the labels. */
  order(probs) {
    return this.labels.map((label) => probs[label]);
  }
}
