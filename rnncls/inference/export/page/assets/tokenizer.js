// From a text to its tokens and their ids, as `rnncls.text.tokenizer` does.

const UNKNOWN = "<unk>";
const UNKNOWN_ID = 1;

/** Splits a text and looks its tokens up. */
class Tokenizer {
  constructor(description, words) {
    const sets = description.sets.map((ranges) => writeSet(decodeRanges(ranges)));
    const replacements = new Replacements(description);
    const build = (step) => new CleaningStep(step, sets, replacements);
    this.name = description.name;
    this.maxTokens = description.maxTokens;
    this.wordStart = description.wordStart;
    this.cleaning = description.cleaning.map(build);
    this.lowercase = description.lowercase && new Lowercase(description.lowercase);
    this.normalizer = description.normalization && new Normalizer(description.normalization, sets, this.lowercase);
    this.rules = description.rules && build(description.rules);
    this.pattern = description.pattern && buildPattern(description.pattern, sets);
    const whiteSpace = writeSet(decodeRanges(description.whiteSpace));
    this.notSpace = new RegExp(`[^${whiteSpace.slice(1)}+`, "gu");
    // The word "<pad>" in a text is not padding: it is an unknown word.
    this.tokenIds = new Map(words.map((word, tokenId) => [word, tokenId]).slice(1));
    this.subwords = description.merges && new Subwords(description.merges, this.wordStart, this.tokenIds);
  }

  /** Return all tokens of a text, perhaps none. */
  split(text) {
    const cleaned = this.cleaning.reduce((changed, step) => step.apply(changed), text);
    switch (this.name) {
      case "basic_english":
        return this.findWords(this.rules.apply(this.lowercase.apply(cleaned)));
      case "whitespace":
        return this.findWords(cleaned);
      case "words":
        return this.findWords(this.normalizer.apply(cleaned)).flatMap((word) => word.match(this.pattern));
      case "characters":
        return this.splitCharacters(this.normalizer.apply(cleaned));
      default:
        return this.splitSubwords(this.normalizer.apply(cleaned));
    }
  }

  /** Return what stands between white space. */
  findWords(text) {
    return text.match(this.notSpace) ?? [];
  }

  splitCharacters(text) {
    return this.findWords(text).flatMap((word) => [this.wordStart, ...word.match(this.pattern)]);
  }

  splitSubwords(text) {
    const words = this.findWords(text);
    return words.flatMap((word) => this.subwords.divide(word));
  }

  /** Return the first `maxTokens` tokens of a text, at least one, and how many were cut off. */
  tokenize(text) {
    const all = this.split(text);
    const tokens = all.slice(0, this.maxTokens);
    if (tokens.length === 0) tokens.push(UNKNOWN);
    const tokenIds = Int32Array.from(tokens, (token) => this.tokenIds.get(token) ?? UNKNOWN_ID);
    return { tokens, tokenIds, isEmpty: all.length === 0, numCut: all.length - Math.min(all.length, this.maxTokens) };
  }
}
