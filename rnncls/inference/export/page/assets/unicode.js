// Lower case and normalization as the exporter's Python has them, in any browser.

const CAPITAL_SIGMA = "\u03a3";
const SIGMA = "\u03c3";
const FINAL_SIGMA = "\u03c2";
const NOT_ASCII = /[^\x00-\x7f]/;

/** Python's `str.lower`. */
class Lowercase {
  constructor(description) {
    const lower = description.to.split(" ");
    this.lowerOf = new Map([...description.from].map((sign, index) => [sign, lower[index]]));
    this.cased = new CharacterSet(description.cased);
    this.ignored = new CharacterSet(description.ignored);
  }

  apply(text) {
    if (!NOT_ASCII.test(text)) return text.toLowerCase();
    const signs = [...text];
    const lowered = signs.map((sign, index) =>
      sign === CAPITAL_SIGMA ? this.lowerSigma(signs, index) : (this.lowerOf.get(sign) ?? sign),
    );
    return lowered.join("");
  }

  /** A sigma after a letter and before none is at the end of a word. */
  lowerSigma(signs, index) {
    const isFinal = this.findsLetter(signs, index, -1) && !this.findsLetter(signs, index, 1);
    return isFinal ? FINAL_SIGMA : SIGMA;
  }

  /** Whether the next sign in a direction that is not ignored is a letter with case. */
  findsLetter(signs, index, step) {
    let place = index + step;
    while (place >= 0 && place < signs.length && this.ignored.has(signs[place].codePointAt(0))) {
      place += step;
    }
    return place >= 0 && place < signs.length && this.cased.has(signs[place].codePointAt(0));
  }
}

/**
 * `normalize` in normalization.py: steps that replace, NFKC and lower case.
 *
 * A browser may know characters that the exporter's Python does not. They stay as they are,
 * and divide the text into parts that NFKC is applied to one by one.
 */
class Normalizer {
  constructor(description, sets, lowercase) {
    this.lowercase = lowercase;
    if (description.assigned !== null) {
      const assigned = writeSet(decodeRanges(description.assigned));
      this.assigned = new RegExp(`${assigned}+`, "gu");
    }
    this.steps = description.steps.map((step) => this.buildStep(step, sets));
  }

  /** Return a function from a text to a text. */
  buildStep(step, sets) {
    if (step === "nfkc") {
      return (text) => text.replace(this.assigned, (part) => part.normalize("NFKC"));
    }
    if (step === "lowercase") return (text) => this.lowercase.apply(text);
    const pattern = buildPattern(step.pattern, sets);
    return (text) => text.replace(pattern, step.text);
  }

  apply(text) {
    if (NOT_ASCII.test(text)) return this.steps.reduce((changed, step) => step(changed), text);
    return this.lowercase ? text.toLowerCase() : text;
  }
}
