// One step of each recurrent cell, with the order of gates that torch has.
//
// Shapes: T tokens, H hidden size, G gates times H.

/** The logistic function. */
function sigmoid(value) {
  return 1 / (1 + Math.exp(-value));
}

/**
 * Write the cell and the hidden state of an LSTM after a step.
 *
 * `gates` has the arguments of the gates: input, forget, candidate, output.
 */
function stepLstm(gates, cellBefore, beforeOffset, cells, states, offset, size) {
  for (let unit = 0; unit < size; unit += 1) {
    const input = sigmoid(gates[unit]);
    const forget = sigmoid(gates[size + unit]);
    const candidate = Math.tanh(gates[2 * size + unit]);
    const output = sigmoid(gates[3 * size + unit]);
    const cell = forget * cellBefore[beforeOffset + unit] + input * candidate;
    cells[offset + unit] = cell;
    states[offset + unit] = output * Math.tanh(cell);
  }
}

/** One layer in one direction: an RNN, LSTM or GRU. */
class Cell {
  constructor(kind, weights) {
    this.kind = kind;
    this.size = weights.weight_hh.length / weights.bias_hh.length;
    this.gates = weights.bias_hh.length;
    const recurrentBias = weights.bias_hh;
    let inputBias = weights.bias_ih;
    // A GRU multiplies the recurrent bias of its candidate by a gate.
    if (kind !== "gru") inputBias = inputBias.map((value, index) => value + recurrentBias[index]);
    this.input = new Linear(weights.weight_ih, inputBias);
    this.recurrent = new Linear(weights.weight_hh, recurrentBias);
    this.zeros = new Float32Array(this.size);
    this.gateInputs = new Float32Array(this.gates);
  }

  /** Return arrays for this many tokens: the inputs of the gates [T, G], states and cells [T, H]. */
  createTape(capacity) {
    return {
      projected: new Float32Array(capacity * this.gates),
      states: new Float32Array(capacity * this.size),
      cells: new Float32Array(this.kind === "lstm" ? capacity * this.size : 0),
    };
  }

  /** Compute the inputs of the gates of some tokens. */
  project(tape, inputs, from, to) {
    const { input, gates } = this;
    for (let token = from; token < to; token += 1) {
      input.apply(inputs, token * input.columns, tape.projected, token * gates);
    }
  }

  /** Read the tokens from `from` on to the last one. */
  readForward(tape, length, from) {
    for (let token = from; token < length; token += 1) this.step(tape, token, token - 1, token > 0);
  }

  /** Read the tokens from `from` back to the first one. */
  readBackward(tape, length, from) {
    for (let token = from; token >= 0; token -= 1) this.step(tape, token, token + 1, token + 1 < length);
  }

  /** Take one step from the state after the token `before`, or from zero. */
  step(tape, token, before, hasBefore) {
    const { size, gates } = this;
    const state = hasBefore ? tape.states : this.zeros;
    const beforeOffset = hasBefore ? before * size : 0;
    const offset = token * size;
    if (this.kind === "gru") {
      this.recurrent.apply(state, beforeOffset, this.gateInputs, 0);
      this.stepGru(tape, token * gates, state, beforeOffset, offset);
      return;
    }
    this.recurrent.apply(state, beforeOffset, this.gateInputs, 0, tape.projected, token * gates);
    if (this.kind === "lstm") {
      const cell = hasBefore ? tape.cells : this.zeros;
      stepLstm(this.gateInputs, cell, beforeOffset, tape.cells, tape.states, offset, size);
      return;
    }
    for (let unit = 0; unit < size; unit += 1) tape.states[offset + unit] = Math.tanh(this.gateInputs[unit]);
  }

  stepGru(tape, projectedOffset, state, beforeOffset, offset) {
    const { size, gateInputs } = this;
    const { projected } = tape;
    for (let unit = 0; unit < size; unit += 1) {
      const reset = sigmoid(projected[projectedOffset + unit] + gateInputs[unit]);
      const update = sigmoid(projected[projectedOffset + size + unit] + gateInputs[size + unit]);
      const recurrent = reset * gateInputs[2 * size + unit];
      const candidate = Math.tanh(projected[projectedOffset + 2 * size + unit] + recurrent);
      tape.states[offset + unit] = (1 - update) * candidate + update * state[beforeOffset + unit];
    }
  }
}
