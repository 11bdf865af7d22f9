// What is replaced in a text before it is split: HTML, capitals, digits.

/** What HTML says of the numbers 128 to 159: they mean characters of Windows-1252. */
const WINDOWS_1252 =
  "\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f" +
  "\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178";
const REPLACEMENT_CHARACTER = "\ufffd";
const LAST_CODE_POINT = 0x10ffff;

/** Return the character of a number in a character reference, as Python's `html` does. */
function decodeNumber(number) {
  if (number === 0 || number > LAST_CODE_POINT) return REPLACEMENT_CHARACTER;
  if (number >= 0xd800 && number <= 0xdfff) return REPLACEMENT_CHARACTER;
  if (number >= 0x80 && number <= 0x9f) return WINDOWS_1252[number - 0x80];
  if (number === 0x0d) return "\r";
  if (isInvalid(number)) return "";
  return String.fromCodePoint(number);
}

/** Whether a number is that of a control character, or of no character. */
function isInvalid(number) {
  const isControl = (number < 0x20 && !(number >= 0x09 && number <= 0x0a) && number !== 0x0c) || number === 0x7f;
  const isNoCharacter = (number >= 0xfdd0 && number <= 0xfdef) || (number & 0xfffe) === 0xfffe;
  return isControl || isNoCharacter;
}

/** The functions by which the rules replace a match, by their names in Python. */
class Replacements {
  constructor(description) {
    this.entities = new Map(Object.entries(description.entities));
    const { letterCase } = description;
    this.upper = letterCase && new CharacterSet(letterCase.upper);
    this.notUpper = letterCase && new CharacterSet(letterCase.notUpper);
  }

  /** `html.unescape` of one reference, such as `&amp;` or `&#39;`. */
  unescape_reference([reference]) {
    const name = reference.slice(1);
    const number = /^#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?$/.exec(name);
    if (number) {
      return decodeNumber(number[1] ? parseInt(number[1], 16) : parseInt(number[2], 10));
    }
    if (this.entities.has(name)) return this.entities.get(name);
    const signs = [...name];
    for (let length = signs.length - 1; length > 1; length -= 1) {
      const start = signs.slice(0, length).join("");
      if (this.entities.has(start)) return this.entities.get(start) + signs.slice(length).join("");
    }
    return reference;
  }

  /** An entity of HTML becomes its characters; others stay. */
  decode_entity([entity, name]) {
    if (name !== undefined && !this.entities.has(`${name};`)) return entity;
    return this.unescape_reference([entity]);
  }

  /** A capitalised word gets a mark before it. */
  mark_word([word, letters]) {
    const signs = [...letters];
    if (signs.length > 1 && this.isUpper(signs)) return `xxup ${word}`;
    return this.isUpper(signs.slice(0, 1)) ? `xxmaj ${word}` : word;
  }

  /** Python's `str.isupper`. */
  isUpper(signs) {
    const codes = signs.map((sign) => sign.codePointAt(0));
    return codes.some((code) => this.upper.has(code)) && !codes.some((code) => this.notUpper.has(code));
  }
}

/** Rules that are applied one after the other, if the guard is found in the text. */
class CleaningStep {
  constructor(description, sets, replacements) {
    this.guard = description.guard && buildPattern(description.guard, sets);
    this.rules = description.rules.map((rule) => ({
      pattern: buildPattern(rule.pattern, sets),
      replacement: rule.function ? (...match) => replacements[rule.function](match) : rule.template,
    }));
  }

  apply(text) {
    if (this.guard && text.search(this.guard) < 0) return text;
    return this.rules.reduce((changed, rule) => changed.replace(rule.pattern, rule.replacement), text);
  }
}
