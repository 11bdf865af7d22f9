// The network: token ids in, a logit of each class out.
//
// Shapes: T tokens, K steps of the recurrent layers (T, unless a step reads several tokens), H hidden size, S width
// of a state, P poolings, C classes.

const MIN_CAPACITY = 64;

/** From states to one vector; the poolings of `rnncls.nn.pooling`, side by side. */
class Pooling {
  constructor(names, stateSize, arrays) {
    this.names = names;
    this.stateSize = stateSize;
    this.pooled = new Float32Array(names.length * stateSize);
    if (names.includes("attention")) {
      const prefix = "pooling.attention.";
      this.projection = new Linear(arrays[`${prefix}projection.weight`], arrays[`${prefix}projection.bias`]);
      this.query = arrays[`${prefix}query.weight`];
      this.joined = new Float32Array(stateSize);
      this.hidden = new Float32Array(stateSize);
    }
  }

  /** Pool the states of the first steps. [K, H] of each direction -> [P * S]. */
  apply(directions, length) {
    const size = this.stateSize / directions.length;
    this.names.forEach((name, index) => {
      const offset = index * this.stateSize;
      if (name === "attention") {
        this.poolByAttention(directions, length, size, offset);
        return;
      }
      directions.forEach((states, direction) => {
        const output = this.pooled.subarray(offset + direction * size, offset + (direction + 1) * size);
        if (name === "last") poolLast(states, direction === 0 ? length - 1 : 0, output);
        else if (name === "max") poolMax(states, length, output);
        else poolMean(states, length, output);
      });
    });
    return this.pooled;
  }

  poolByAttention(directions, length, size, offset) {
    const scores = new Float64Array(length);
    for (let token = 0; token < length; token += 1) {
      this.join(directions, token, size);
      this.projection.apply(this.joined, 0, this.hidden, 0);
      for (let unit = 0; unit < this.stateSize; unit += 1) {
        scores[token] += this.query[unit] * Math.tanh(this.hidden[unit]);
      }
    }
    const weights = softmax(scores);
    const sums = new Float64Array(this.stateSize);
    for (let token = 0; token < length; token += 1) {
      this.join(directions, token, size);
      for (let unit = 0; unit < this.stateSize; unit += 1) sums[unit] += weights[token] * this.joined[unit];
    }
    this.pooled.set(sums, offset);
  }

  join(directions, token, size) {
    directions.forEach((states, direction) => {
      this.joined.set(states.subarray(token * size, (token + 1) * size), direction * size);
    });
  }
}

function poolLast(states, token, output) {
  const size = output.length;
  output.set(states.subarray(token * size, (token + 1) * size));
}

function poolMax(states, length, output) {
  const size = output.length;
  output.set(states.subarray(0, size));
  for (let index = size; index < length * size; index += 1) {
    const unit = index % size;
    if (states[index] > output[unit]) output[unit] = states[index];
  }
}

function poolMean(states, length, output) {
  const size = output.length;
  for (let unit = 0; unit < size; unit += 1) {
    let sum = 0;
    for (let index = unit; index < length * size; index += size) sum += states[index];
    output[unit] = sum / length;
  }
}

/** Return probabilities. */
function softmax(logits) {
  const largest = logits.reduce((one, other) => Math.max(one, other), -Infinity);
  const weights = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = weights.reduce((one, other) => one + other, 0);
  return weights.map((weight) => weight / sum);
}

/** Return the logarithm of the summed exponentials of logits. */
function computeEnergy(logits) {
  const largest = logits.reduce((one, other) => Math.max(one, other), -Infinity);
  return largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
}

/** A trained classifier. It keeps what it has computed of the last text. */
class Network {
  constructor(description, arrays) {
    const { section } = description;
    const poolings = section.cell === "none" ? ["mean"] : section.pooling;
    this.embedding = new Embedding(arrays, section.embedding_dim, description.numFine);
    this.encoder = buildEncoder(section, arrays);
    this.pooling = new Pooling(poolings, this.encoder.stateSize, arrays);
    this.linear = new Linear(arrays["linear.weight"], arrays["linear.bias"]);
    this.temperature = description.temperature;
    this.ngrams = buildNgrams(description, arrays);
    this.charNgrams = description.charNgrams && new CharNgrams(description.charNgrams);
    this.hasSeveralLabels = Boolean(description.thresholds);
    this.scopeRule = description.scopeRule ?? null;
    this.embeddingSize = section.embedding_dim;
    this.tokensPerStep = section.cell === "none" ? 1 : section.tokens_per_step;
    this.capacity = 0;
    this.length = 0;
    this.reserve(MIN_CAPACITY);
  }

  /** Make room for this many tokens. */
  reserve(length) {
    if (length <= this.capacity) return;
    this.capacity = Math.max(length, 2 * this.capacity);
    this.tape = this.encoder.createTape(this.capacity);
    this.changedTape = this.encoder.createTape(this.capacity);
  }

  /** Return the probabilities of logits: of all classes together, or of each label on its own. */
  toProbs(logits) {
    if (!this.hasSeveralLabels) return softmax(logits);
    return Float64Array.from(logits, (logit) => 1 / (1 + Math.exp(-logit)));
  }

  /**
   * Return whether a text fits one of the classes; undefined: the model cannot tell.
   * A text without a token, or without a word that has a vector of its own, fits none.
   */
  decideFits(logits, isUnknown, isEmpty) {
    if (this.scopeRule === null) return undefined;
    const [threshold, unknownWeight] = this.scopeRule;
    const unknownShare = isUnknown.filter(Boolean).length / isUnknown.length;
    if (isEmpty || (unknownShare === 1 && !this.charNgrams)) return false;
    return computeEnergy(logits) - unknownWeight * unknownShare >= threshold;
  }

  /** Read a text; return its logits, [C]. Unknown words are read by their n-grams if the words are given. */
  read(tokenIds, words = []) {
    this.length = tokenIds.length;
    this.tokenIds = Int32Array.from(tokenIds);
    this.words = words;
    this.reserve(this.length);
    const numSteps = this.countSteps(this.length);
    for (let step = 0; step < numSteps; step += 1) this.readStep(this.tape, step, this.tokenIds, this.length);
    this.encoder.run(this.tape, numSteps, readAll(numSteps));
    return this.classify(this.tape, this.tokenIds, this.length);
  }

  /** Yield the logits of the text that was read last with `<unk>` for each token in turn. */
  *occlusions() {
    for (let token = 0; token < this.length; token += 1) {
      copyTape(this.tape, this.changedTape);
      const changedIds = this.tokenIds.slice();
      changedIds[token] = UNKNOWN_ID;
      this.changeStep(this.countSteps(token + 1) - 1, changedIds, this.length, token);
      yield this.classify(this.changedTape, changedIds, this.length);
    }
  }

  /** Yield the logits of the first token, the first two, … of the text that was read last. */
  *prefixes() {
    copyTape(this.tape, this.changedTape);
    for (let length = 1; length <= this.length; length += 1) {
      this.changeStep(this.countSteps(length) - 1, this.tokenIds, length);
      yield this.classify(this.changedTape, this.tokenIds, length);
    }
  }

  /** Return how many steps of the recurrent layers read this many tokens. */
  countSteps(length) {
    return Math.ceil(length / this.tokensPerStep);
  }

  /** Read a step of the changed text again, and what depends on it; one of its tokens may be hidden. */
  changeStep(step, tokenIds, length, hidden = null) {
    this.readStep(this.changedTape, step, tokenIds, length, hidden);
    const change = { inputFrom: step, inputTo: step + 1, forwardFrom: step, backwardFrom: step };
    this.encoder.run(this.changedTape, this.countSteps(length), change);
  }

  /** Write what a step reads: the sum of the vectors of its tokens. */
  readStep(tape, step, tokenIds, length, hidden = null) {
    const offset = step * this.embeddingSize;
    tape.inputs.fill(0, offset, offset + this.embeddingSize);
    const first = step * this.tokensPerStep;
    const end = Math.min(first + this.tokensPerStep, length);
    for (let token = first; token < end; token += 1) {
      const word = token === hidden ? UNKNOWN : this.words[token];
      this.addWord(tape, offset, tokenIds[token], word);
    }
  }

  /** Add the vector of a word: if it is unknown, that of `<unk>` and the mean of its n-grams. */
  addWord(tape, offset, tokenId, word = UNKNOWN) {
    this.embedding.add(tokenId, 1, tape.inputs, offset);
    if (!this.charNgrams || tokenId !== UNKNOWN_ID || word === UNKNOWN) return;
    const rows = this.charNgrams.hash(word);
    if (rows.length === 0) return;
    // 32 bits are too few for the sum of the thousands of n-grams of a very long word.
    const sums = new Float64Array(this.embeddingSize);
    for (const row of rows) this.embedding.add(row, 1, sums, 0);
    sums.forEach((sum, column) => {
      tape.inputs[offset + column] += sum / rows.length;
    });
  }

  /** Return the logits of the first tokens of a text: those of the network and of the n-grams together. */
  classify(tape, tokenIds, length) {
    if (this.ngrams?.isAlone) return Float32Array.from(this.ngrams.read(tokenIds, length));
    const logits = this.classifyStates(tape, this.countSteps(length));
    if (!this.ngrams) return logits;
    const added = this.ngrams.read(tokenIds, length);
    return logits.map((logit, label) => logit + added[label]);
  }

  classifyStates(tape, numSteps) {
    const pooled = this.pooling.apply(this.encoder.states(tape), numSteps);
    const logits = new Float32Array(this.linear.rows);
    this.linear.apply(pooled, 0, logits, 0);
    return logits.map((logit) => logit / this.temperature);
  }
}
