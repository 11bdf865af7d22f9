// The layers between word vectors and pooling.
//
// A tape holds all that was computed of a text. When one token changes, or the text ends
// earlier, only what depends on it is computed again. A change says which tokens have new
// inputs (`inputFrom` to before `inputTo`), and from which token on the forward and the
// backward direction read again.
//
// Shapes: T tokens, E width of a word vector, H hidden size, S width of a state.

/** Return the change of reading a text for the first time. */
function readAll(length) {
  return { inputFrom: 0, inputTo: length, forwardFrom: 0, backwardFrom: length - 1 };
}

/** Copy the arrays of one tape into another of the same capacity. */
function copyTape(source, target) {
  for (const [name, value] of Object.entries(source)) {
    if (ArrayBuffer.isView(value)) target[name].set(value);
    else if (value !== null && typeof value === "object") copyTape(value, target[name]);
  }
}

/** No recurrent layer: the states are the word vectors. */
class BagEncoder {
  constructor(section) {
    this.stateSize = section.embedding_dim;
  }

  createTape(capacity) {
    return { inputs: new Float32Array(capacity * this.stateSize) };
  }

  run() {}

  /** Return the states of each direction, [T, S]. */
  states(tape) {
    return [tape.inputs];
  }
}

/** Layers of an RNN, LSTM or GRU; each layer reads the states of both directions below. */
class LayerEncoder {
  constructor(section, arrays) {
    const directions = section.bidirectional ? ["", "_reverse"] : [""];
    this.embeddingSize = section.embedding_dim;
    this.size = section.hidden_size;
    this.stateSize = this.size * directions.length;
    this.layers = [];
    for (let layer = 0; layer < section.num_layers; layer += 1) {
      const cells = directions.map((direction) => {
        const weights = pickWeights(arrays, "encoder.rnn.", `_l${layer}${direction}`);
        return new Cell(section.cell, weights);
      });
      this.layers.push(cells);
    }
  }

  createTape(capacity) {
    const layers = this.layers.map((cells) => ({
      directions: cells.map((cell) => cell.createTape(capacity)),
      joined: new Float32Array(capacity * this.stateSize),
    }));
    return { inputs: new Float32Array(capacity * this.embeddingSize), layers };
  }

  run(tape, length, change) {
    let inputs = tape.inputs;
    let current = change;
    this.layers.forEach((cells, index) => {
      const layer = tape.layers[index];
      this.runLayer(cells, layer.directions, inputs, length, current);
      if (index + 1 === this.layers.length) return;
      current = this.spread(current, length);
      this.join(layer, current.inputFrom, length);
      inputs = layer.joined;
    });
  }

  runLayer(cells, tapes, inputs, length, change) {
    cells.forEach((cell, direction) => {
      const tape = tapes[direction];
      cell.project(tape, inputs, change.inputFrom, change.inputTo);
      if (direction === 0) cell.readForward(tape, length, change.forwardFrom);
      else cell.readBackward(tape, length, change.backwardFrom);
    });
  }

  /** Return what a change of this layer's inputs changes in those of the next layer. */
  spread(change, length) {
    if (this.stateSize > this.size) return readAll(length);
    return { ...change, inputFrom: change.forwardFrom, inputTo: length };
  }

  /** Write the states of all directions side by side. */
  join(layer, from, length) {
    layer.directions.forEach(({ states }, direction) => {
      for (let token = from; token < length; token += 1) {
        const row = states.subarray(token * this.size, (token + 1) * this.size);
        layer.joined.set(row, token * this.stateSize + direction * this.size);
      }
    });
  }

  states(tape) {
    return tape.layers[tape.layers.length - 1].directions.map(({ states }) => states);
  }
}

/** Grid LSTM blocks: an LSTM along time, then an LSTM cell along the depth. */
class GridEncoder {
  constructor(section, arrays) {
    const numDirections = section.bidirectional ? 2 : 1;
    this.embeddingSize = section.embedding_dim;
    this.size = section.hidden_size;
    this.stateSize = this.size * numDirections;
    this.projection = new Linear(arrays["encoder.project.weight"], arrays["encoder.project.bias"]);
    this.projected = new Float32Array(2 * this.size);
    this.gateInputs = new Float32Array(4 * this.size);
    /** For each direction its blocks, from the words up. */
    this.stacks = [];
    for (let direction = 0; direction < numDirections; direction += 1) {
      const blocks = [];
      for (let layer = 0; layer < section.num_layers; layer += 1) {
        const block = layer * numDirections + direction;
        const time = pickWeights(arrays, `encoder.time.${block}.`, "_l0");
        const depth = pickWeights(arrays, `encoder.depth.${block}.`, "");
        blocks.push({ time: new Cell("lstm", time), depth: new Cell("lstm", depth) });
      }
      this.stacks.push(blocks);
    }
  }

  createTape(capacity) {
    const createStates = () => ({
      states: new Float32Array(capacity * this.size),
      cells: new Float32Array(capacity * this.size),
    });
    const below = createStates();
    const stacks = this.stacks.map((blocks) =>
      blocks.map(({ time }) => ({ time: time.createTape(capacity), depth: createStates() })),
    );
    return { inputs: new Float32Array(capacity * this.embeddingSize), below, stacks };
  }

  run(tape, length, change) {
    this.project(tape, change.inputFrom, change.inputTo);
    this.stacks.forEach((blocks, direction) => {
      const [from, to] = direction === 0 ? [change.forwardFrom, length] : [0, change.backwardFrom + 1];
      let { below } = tape;
      blocks.forEach((block, layer) => {
        const { time, depth } = tape.stacks[direction][layer];
        block.time.project(time, below.states, from, to);
        if (direction === 0) block.time.readForward(time, length, from);
        else block.time.readBackward(time, length, to - 1);
        this.stepDepth(block.depth, time.states, below, depth, from, to);
        below = depth;
      });
    });
  }

  /** Write the state and the cell that a word vector starts with. */
  project(tape, from, to) {
    const { size, projected } = this;
    for (let token = from; token < to; token += 1) {
      this.projection.apply(tape.inputs, token * this.embeddingSize, projected, 0);
      tape.below.states.set(projected.subarray(0, size), token * size);
      tape.below.cells.set(projected.subarray(size), token * size);
    }
  }

  /** Apply an LSTM cell to some tokens; its input is the state along time. */
  stepDepth(cell, alongTime, below, above, from, to) {
    const { size, gateInputs } = this;
    for (let token = from; token < to; token += 1) {
      const offset = token * size;
      cell.input.apply(alongTime, offset, gateInputs, 0);
      cell.recurrent.apply(below.states, offset, gateInputs, 0, gateInputs, 0);
      stepLstm(gateInputs, below.cells, offset, above.cells, above.states, offset, size);
    }
  }

  states(tape) {
    return tape.stacks.map((blocks) => blocks[blocks.length - 1].depth.states);
  }
}

/** Return the four arrays of a cell. */
function pickWeights(arrays, prefix, suffix) {
  const names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
  return Object.fromEntries(names.map((name) => [name, arrays[`${prefix}${name}${suffix}`]]));
}

/** Build the layers of a model section of the config. */
function buildEncoder(section, arrays) {
  if (section.cell === "none") return new BagEncoder(section);
  if (section.cell === "grid_lstm") return new GridEncoder(section, arrays);
  return new LayerEncoder(section, arrays);
}
