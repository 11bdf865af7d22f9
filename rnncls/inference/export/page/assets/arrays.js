// The weights: one block of bytes, and the linear layer that everything else is made of.

/** Decode base64 to bytes. */
function decodeBase64(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let index = 0; index < bytes.length; index += 1) bytes[index] = characters.charCodeAt(index);
  return bytes;
}

const ARRAY_TYPES = { float32: Float32Array, float16: Uint16Array, int8: Int8Array, uint8: Uint8Array };

/** Return the arrays of a block of bytes by their names. */
function readArrays(descriptions, bytes) {
  const arrays = {};
  for (const { name, type, offset, size } of descriptions) {
    arrays[name] = new ARRAY_TYPES[type](bytes.buffer, offset, size);
  }
  return arrays;
}

/** Return the number that 16 bits stand for. */
function decodeFloat16(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The word vectors: [V, E], as floats, or as 8-bit integers with a scale a row. */
class Embedding {
  constructor(rows, scales, size) {
    this.rows = rows;
    this.scales = scales;
    this.size = size;
    this.isHalf = rows instanceof Uint16Array;
  }

  /** Write the vector of a word into an array. */
  read(tokenId, output, offset) {
    output.fill(0, offset, offset + this.size);
    this.add(tokenId, 1, output, offset);
  }

  /** Add a multiple of a row to what an array has. */
  add(row, factor, output, offset) {
    const start = row * this.size;
    const scale = this.scales ? this.scales[row] : 1;
    for (let index = 0; index < this.size; index += 1) {
      const value = this.rows[start + index];
      output[offset + index] += factor * (this.isHalf ? decodeFloat16(value) : value * scale);
    }
  }
}

/** A linear layer: weights [rows, columns] and a bias [rows]. */
class Linear {
  constructor(weights, bias) {
    this.weights = weights;
    this.bias = bias;
    this.rows = bias.length;
    this.columns = weights.length / bias.length;
  }

  /**
   * Write weights · input + start into the output, from its offset on.
   *
   * `start` is the bias, or an array that has it already.
   */
  apply(input, inputOffset, output, outputOffset, start = this.bias, startOffset = 0) {
    const { weights, rows, columns } = this;
    const lastBlock = rows - 3;
    let row = 0;
    // Four rows at once: each number of the input is read once for them.
    for (; row < lastBlock; row += 4) {
      const weight = row * columns;
      let first = start[startOffset + row];
      let second = start[startOffset + row + 1];
      let third = start[startOffset + row + 2];
      let fourth = start[startOffset + row + 3];
      for (let column = 0; column < columns; column += 1) {
        const value = input[inputOffset + column];
        first += weights[weight + column] * value;
        second += weights[weight + columns + column] * value;
        third += weights[weight + 2 * columns + column] * value;
        fourth += weights[weight + 3 * columns + column] * value;
      }
      output[outputOffset + row] = first;
      output[outputOffset + row + 1] = second;
      output[outputOffset + row + 2] = third;
      output[outputOffset + row + 3] = fourth;
    }
    for (; row < rows; row += 1) {
      let sum = start[startOffset + row];
      for (let column = 0; column < columns; column += 1) {
        sum += weights[row * columns + column] * input[inputOffset + column];
      }
      output[outputOffset + row] = sum;
    }
  }
}
