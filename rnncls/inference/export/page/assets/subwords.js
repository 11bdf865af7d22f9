// Byte-pair encoding: a word is divided into pieces of the vocabulary.

/** Joins the characters of a word by the merges, the earliest merge first. */
class Subwords {
  constructor(merges, wordStart, tokenIds) {
    this.wordStart = wordStart;
    this.tokenIds = tokenIds;
    this.ranks = new Map(merges.map(([left, right], rank) => [`${left}\n${right}`, rank]));
    this.encoder = new TextEncoder();
  }

  /** Return the pieces of a word. */
  divide(word) {
    const marked = word.startsWith(this.wordStart) ? word : this.wordStart + word;
    const pieces = [...marked].flatMap((sign) => this.writeSign(sign));
    for (;;) {
      const index = this.findMerge(pieces);
      if (index < 0) return pieces;
      pieces.splice(index, 2, pieces[index] + pieces[index + 1]);
    }
  }

  /** Return a character, or the pieces of its bytes if the vocabulary lacks it. */
  writeSign(sign) {
    if (this.tokenIds.has(sign)) return [sign];
    const bytes = [...this.encoder.encode(sign)];
    return bytes.map((byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  }

  /** Return the index of the first piece of the earliest merge; -1 if there is none. */
  findMerge(pieces) {
    let best = -1;
    let bestRank = Infinity;
    for (let index = 0; index + 1 < pieces.length; index += 1) {
      const rank = this.ranks.get(`${pieces[index]}\n${pieces[index + 1]}`);
      if (rank !== undefined && rank < bestRank) {
        best = index;
        bestRank = rank;
      }
    }
    return best;
  }
}
