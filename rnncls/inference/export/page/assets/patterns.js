// Patterns and sets of characters, from the ranges of code points that the exporter wrote.

/** Decode what `encode_ranges` in patterns.py wrote: [start, end] of each range. */
function decodeRanges(text) {
  const ranges = [];
  if (text === "") return ranges;
  const numbers = text.split(" ").map((digits) => parseInt(digits, 36));
  let previous = 0;
  for (let index = 0; index < numbers.length; index += 2) {
    const start = previous + numbers[index];
    const end = start + numbers[index + 1];
    ranges.push([start, end]);
    previous = end;
  }
  return ranges;
}

/** Write ranges as a set of a regular expression, `[…]`. */
function writeSet(ranges) {
  const escape = (code) => `\\u{${code.toString(16)}}`;
  const parts = ranges.map(([start, end]) => `${escape(start)}-${escape(end)}`);
  return `[${parts.join("")}]`;
}

/** Build a pattern of parts: its source, and indices of sets. */
function buildPattern(parts, sets) {
  const sources = parts.map((part) => (typeof part === "number" ? sets[part] : part));
  return new RegExp(sources.join(""), "gu");
}

/** A set of characters that is searched by code point. */
class CharacterSet {
  constructor(text) {
    this.ranges = decodeRanges(text);
  }

  /** Whether the set has a code point. */
  has(code) {
    let low = 0;
    let high = this.ranges.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const [start, end] = this.ranges[middle];
      if (code < start) high = middle - 1;
      else if (code > end) low = middle + 1;
      else return true;
    }
    return false;
  }
}
