import type { HoldfastError } from '../../core/errors.ts';

/** Returns the JSON of an error, as every verb prints it below `error`. */
export function errorJson({ code, reason, message, help, taskId, violations }: HoldfastError) {
  return { code, reason, message, help, taskId, ...(violations.length > 0 && { violations }) };
}
