// Unknown words by their character n-grams, as `rnncls.text.char_ngrams` hashes them.

const FNV_OFFSET = 2166136261;
const FNV_PRIME = 16777619;

/** Return the UTF-8 bytes of a character; half of a surrogate pair has three, as in Python. */
function encodeCharacter(character) {
  const code = character.codePointAt(0);
  const next = (shift) => 0x80 | ((code >> shift) & 0x3f);
  if (code < 0x80) return [code];
  if (code < 0x800) return [0xc0 | (code >> 6), next(0)];
  if (code < 0x10000) return [0xe0 | (code >> 12), next(6), next(0)];
  return [0xf0 | (code >> 18), next(12), next(6), next(0)];
}

/** Return the 32-bit FNV-1a hash of characters, each as its bytes. */
function hashCharacters(characters) {
  let hash = FNV_OFFSET;
  for (const bytes of characters) {
    for (const byte of bytes) hash = Math.imul(hash ^ byte, FNV_PRIME);
  }
  return hash >>> 0;
}

/** Finds the rows of the embedding of a word's n-grams. */
class CharNgrams {
  constructor({ minLength, maxLength, numBuckets, firstRow }) {
    this.minLength = minLength;
    this.maxLength = maxLength;
    this.numBuckets = numBuckets;
    this.firstRow = firstRow;
  }

  /** Return the row of each n-gram, perhaps none. */
  hash(word) {
    const characters = [...`<${word}>`].map(encodeCharacter);
    const rows = [];
    for (let length = this.minLength; length <= this.maxLength; length += 1) {
      for (let start = 0; start + length <= characters.length; start += 1) {
        const hash = hashCharacters(characters.slice(start, start + length));
        rows.push(this.firstRow + (hash % this.numBuckets));
      }
    }
    return rows;
  }
}
