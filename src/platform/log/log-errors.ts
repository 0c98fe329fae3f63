import { HoldfastError } from '../../core/errors.ts';
import { plainCopy } from '../../core/foreign/plain-copy.ts';
import { limits } from '../../core/limits.ts';
import { errorText, isInstance, readProperty } from '../../core/untrusted.ts';

/** The deepest cause of an error that is logged. */
const mostCauses = 8;

/**
 * Serializes an error for a log line. A HoldfastError is logged without its stack, unless it is a defect or `isWhole` is
 * true.
 */
export function serializeError(err: unknown, isWhole: boolean): unknown {
  if (!isInstance(err, HoldfastError) || err.code === 'INTERNAL' || isWhole)
    return plainCopy(isInstance(err, Error) ? wholeError(err, 0) : err, limits.logLineChars);
  const { code, reason, message, help, taskId } = err;
  return { code, reason, message, help, taskId };
}

/** Returns the type, message and stack of an error, its own fields, and its causes as nested errors. */
function wholeError(err: Error, depth: number): object {
  const { message, name } = errorText(err);
  const type = readProperty(readProperty(err, 'constructor') as object, 'name');
  const stack = readProperty(err, 'stack');
  const cause = depth < mostCauses ? readProperty(err, 'cause') : undefined;
  const errors = readProperty(err, 'errors');
  const nested = (one: unknown): unknown => (isInstance(one, Error) ? wholeError(one, depth + 1) : one);
  return {
    type: typeof type === 'string' && type !== '' ? type : name,
    message,
    stack,
    ...(Array.isArray(errors) &&
      depth < mostCauses && { aggregateErrors: errors.slice(0, mostCauses).map(nested) }),
    ...ownFields(err),
    ...(cause !== undefined && { cause: nested(cause) }),
  };
}

function ownFields(err: Error): object {
  try {
    const placed = ['message', 'stack', 'cause', 'errors'];
    const keys = Object.keys(err).filter((key) => !placed.includes(key));
    return Object.fromEntries(keys.map((key) => [key, readProperty(err, key)]));
  } catch {
    return {};
  }
}
