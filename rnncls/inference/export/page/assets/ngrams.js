// The linear n-gram part: weights of n-grams of token ids, added to the network's logits.
//
// Keys, and what is computed from them, are those of `rnncls.text.ngram_hash` and
// `rnncls.inference.light.ngrams`.
//
// Shapes: K n-grams, C classes, Z stored weights.

const MULTIPLIER = 1640531527;
const START_ID = 0; // Stands for the beginning of a text.
const MIN_SQUARE = 1e-12;

/** Decode what `encode_ascending` in rice_code.py wrote: ascending whole numbers. */
function decodeAscending(bytes, { count, numLowBits }) {
  const numbers = new Float64Array(count);
  let position = 0;
  let previous = -1;
  const readBit = () => {
    const bit = (bytes[position >> 3] >> (position & 7)) & 1;
    position += 1;
    return bit;
  };
  for (let index = 0; index < count; index += 1) {
    let distance = 0;
    while (readBit() === 1) distance += 1;
    distance *= 2 ** numLowBits;
    for (let bit = 0; bit < numLowBits; bit += 1) distance += readBit() * 2 ** bit;
    previous += distance + 1;
    numbers[index] = previous;
  }
  return numbers;
}

/** Return the numbers that rounded ones stand for: 16-bit floats, or 8-bit integers times their size. */
function restoreRounded(stored, scale) {
  if (stored instanceof Uint16Array) return Float32Array.from(stored, decodeFloat16);
  return Float32Array.from(stored, (value) => value * Math.abs(value) * scale);
}

/** The fitted n-grams: their keys in ascending order, and the weights of each. */
class NgramTable {
  constructor(description, arrays) {
    this.maxSize = description.maxSize;
    this.scale = description.scale;
    this.isAlone = description.isAlone;
    this.isCentred = description.isCentred;
    this.bias = description.bias;
    this.keys = Uint32Array.from(decodeAscending(arrays["ngrams.keys"], description.keys));
    this.values = restoreRounded(arrays["ngrams.values"], description.valueScale);
    this.squares = restoreRounded(arrays["ngrams.squares"], description.squareScale);
    this.placeWeights(decodeAscending(arrays["ngrams.positions"], description.positions));
  }

  /** Find the classes of the stored weights, and which weights each n-gram has. */
  placeWeights(positions) {
    const numClasses = this.bias.length;
    this.classes = Uint16Array.from(positions, (position) => position % numClasses);
    this.starts = new Uint32Array(this.keys.length + 1);
    for (const position of positions) this.starts[Math.floor(position / numClasses) + 1] += 1;
    for (let row = 0; row < this.keys.length; row += 1) this.starts[row + 1] += this.starts[row];
  }

  /** Return the logits of the first tokens of a text, [C]. */
  read(tokenIds, length) {
    const sums = new Float64Array(this.bias.length);
    let square = 0;
    for (let start = -1; start < length; start += 1) {
      let key = 0;
      const end = Math.min(start + this.maxSize, length);
      for (let token = start; token < end; token += 1) {
        const tokenId = token < 0 ? START_ID : tokenIds[token];
        if (tokenId === UNKNOWN_ID) break;
        key = (Math.imul(key, MULTIPLIER) + tokenId + 1) >>> 0;
        const row = token < 0 ? -1 : this.find(key);
        if (row >= 0) square += this.add(row, sums);
      }
    }
    const norm = Math.sqrt(Math.max(square, MIN_SQUARE));
    return Array.from(sums, (sum, label) => this.scale * (sum / norm + this.bias[label]));
  }

  /** Return the row of a key; -1 if the table lacks it. */
  find(key) {
    let low = 0;
    let high = this.keys.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const other = this.keys[middle];
      if (key < other) high = middle - 1;
      else if (key > other) low = middle + 1;
      else return middle;
    }
    return -1;
  }

  /** Add the weights of an n-gram, which may have a mean of zero; return its square. */
  add(row, sums) {
    let total = 0;
    for (let index = this.starts[row]; index < this.starts[row + 1]; index += 1) {
      sums[this.classes[index]] += this.values[index];
      total += this.values[index];
    }
    if (!this.isCentred) return this.squares[row];
    const mean = total / sums.length;
    for (let label = 0; label < sums.length; label += 1) sums[label] -= mean;
    return this.squares[row];
  }
}

/** Return the n-gram part of a model; null if it has none. */
function buildNgrams(description, arrays) {
  return description.ngrams && new NgramTable(description.ngrams, arrays);
}
