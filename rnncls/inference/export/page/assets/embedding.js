// The word vectors.
//
// Shapes: V words, E width of a word vector, F words with 12 bits.

/** Return the number that 16 bits stand for. */
function decodeFloat16(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** [V, E] as floats, or as integers with a scale a row: 12 bits in the first rows, 8 in the others. */
class Embedding {
  constructor(arrays, size, numFine) {
    this.rows = arrays["embedding.rows"];
    this.low = arrays["embedding.low"];
    this.scales = arrays["embedding.scales"];
    this.size = size;
    this.isHalf = this.rows instanceof Uint16Array;
    this.numFine = numFine;
  }

  /** Add a multiple of a row to what an array has. */
  add(row, factor, output, offset) {
    const start = row * this.size;
    const scale = this.scales ? factor * this.scales[row] : factor;
    for (let column = 0; column < this.size; column += 1) {
      output[offset + column] += scale * this.decode(row, start + column);
    }
  }

  /** Return one number of a row, without its scale. */
  decode(row, index) {
    const value = this.rows[index];
    if (this.isHalf) return decodeFloat16(value);
    if (row >= this.numFine) return value;
    const low = (this.low[index >> 1] >> (4 * (index & 1))) & 0xf;
    return value * 16 + low;
  }
}
