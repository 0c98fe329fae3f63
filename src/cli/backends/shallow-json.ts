/** The deepest JSON that is parsed. Answers of back ends are some 15 values deep. */
const deepestJson = 64;

/**
 * Parses JSON. Throws for a text whose values are nested deeper than 64: a parser takes 180 bytes of memory for each byte of
 * such a text.
 */
export function parseShallow(text: string): unknown {
  if (isTooDeep(text)) throw new SyntaxError('the JSON is nested too deeply');
  return JSON.parse(text);
}

/** Returns true if more arrays and objects than the bound are open at one place of the text. */
export function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') {
      at = endOfString(text, at);
    } else if (character === '[' || character === '{') {
      depth++;
      if (depth > deepestJson) return true;
    } else if (character === ']' || character === '}') {
      depth--;
    }
  }
  return false;
}

/** Returns the place of the quote that ends the string which begins at `from`, or the end of the text. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return text.length;
}
