/** Escapes control characters in what a verb prints. */
import { controls } from '../../platform/escape-controls.ts';

export { escapeControls, escapeControlsInLines } from '../../platform/escape-controls.ts';

/** Escapes control characters that JSON allows but a terminal obeys. The result is the same JSON value. */
export function escapeControlsInJson(json: string): string {
  return json.replace(controls, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
