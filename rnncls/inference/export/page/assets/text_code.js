// Bytes from printable characters, as text_code.py writes them: 13 bits in two characters.

const FIRST_CODE = 33;
const LAST_CODE = 126;
const LEFT_OUT = "<&\\";
const GROUP_BITS = 13;

/** Return the digit of each character by its code. */
function listDigits() {
  const digits = new Uint8Array(LAST_CODE + 1);
  let digit = 0;
  for (let code = FIRST_CODE; code <= LAST_CODE; code += 1) {
    if (LEFT_OUT.includes(String.fromCharCode(code))) continue;
    digits[code] = digit;
    digit += 1;
  }
  return { digits, base: digit };
}

/** Decode a text to bytes. */
function decodeText(text) {
  const { digits, base } = listDigits();
  const bytes = new Uint8Array(Math.floor((text.length * GROUP_BITS) / 16));
  let waiting = 0;
  let numBits = 0;
  let position = 0;
  for (let index = 0; index < text.length; index += 2) {
    const number = digits[text.charCodeAt(index)] * base + digits[text.charCodeAt(index + 1)];
    waiting |= number << numBits;
    numBits += GROUP_BITS;
    while (numBits >= 8) {
      bytes[position] = waiting & 0xff;
      position += 1;
      waiting >>= 8;
      numBits -= 8;
    }
  }
  return bytes;
}
