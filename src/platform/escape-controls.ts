/**
 * Escapes control characters in foreign text (errors of handlers, keys, tags) before a terminal shows it. Unescaped,
 * such text could move the cursor, forge a line of output or reverse the writing direction.
 */

/** Matches control characters, line separators and marks of the writing direction. */
export const controls = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;
const shortEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escapeOf(character: string): string {
  const hex = character.charCodeAt(0).toString(16);
  return (
    shortEscapes[character] ?? (hex.length > 2 ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`)
  );
}

/** Escapes all control characters, line breaks included: the result is one line. */
export function escapeControls(text: string): string {
  return text.replace(controls, escapeOf);
}

/** Escapes control characters but keeps line breaks, for messages of Holdfast that may quote foreign text. */
export function escapeControlsInLines(text: string): string {
  return text.split('\n').map(escapeControls).join('\n');
}
