import { traceparent } from '../../../core/rules.ts';

/** Returns a well-formed W3C traceparent, or an empty string instead of a malformed one, as the standard requires. */
export function traceparentOf(given: string): string {
  return traceparent(given) === undefined ? given : '';
}
