// The weights: one block of bytes, and the linear layer that everything else is made of.

const ARRAY_TYPES = { float32: Float32Array, float16: Uint16Array, int16: Int16Array, int8: Int8Array, uint8: Uint8Array };

/** Return the arrays of a block of bytes by their names. */
function readArrays(descriptions, bytes) {
  const arrays = {};
  for (const { name, type, offset, size } of descriptions) {
    arrays[name] = new ARRAY_TYPES[type](bytes.buffer, offset, size);
  }
  for (const [name, values] of Object.entries(arrays)) {
    if (values instanceof Int16Array) arrays[name] = restoreMatrix(values, arrays[`${name}.scales`]);
  }
  return arrays;
}

/** Multiply each row of a matrix by its scale. */
function restoreMatrix(values, scales) {
  const columns = values.length / scales.length;
  return Float32Array.from(values, (value, index) => value * scales[Math.floor(index / columns)]);
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
