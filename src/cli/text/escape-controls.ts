/**
 * Text of strangers (errors of handlers, keys, tags) as a terminal may show it: what would move its cursor, forge a
 * line or turn the direction of writing is shown as an escape instead.
 */

/** Control characters, line separators, marks of direction. */
const hidden = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;
const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escapeOf(character: string): string {
  const hex = character.charCodeAt(0).toString(16);
  return named[character] ?? (hex.length > 2 ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`);
}

/** On one line. */
export function visible(text: string): string {
  return text.replace(hidden, escapeOf);
}

/** Line by line, for words that are ours and may quote others. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

/** The same JSON; what JSON leaves as it is, a terminal may obey. */
export function visibleJson(json: string): string {
  return json.replace(hidden, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
