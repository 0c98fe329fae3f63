import { type Code, codes, type Reason, reasons, type Violation } from '../errors.ts';
import type { ItemError } from '../messages.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/**
 * The error codes, each at the index of its number in google.rpc.Code. The list `codes` has the same order, without OK
 * (0) and UNKNOWN (2), which Holdfast never sends.
 */
const [cancelled, ...others] = codes;
const numbered: readonly (Code | undefined)[] = [undefined, cancelled, undefined, ...others];
const known: ReadonlySet<string> = new Set(reasons);

/** Returns the number of an error code in google.rpc.Code. */
export function codeNumber(code: Code): number {
  return numbered.indexOf(code);
}

export function codeOf(number: number): Code {
  return numbered[number] ?? 'INTERNAL';
}

/**
 * Returns the error reason with this name. A reason that only a newer server knows becomes BUG; the code and the
 * message of the error still describe the failure.
 */
export function reasonOf(text: string): Reason {
  return known.has(text) ? (text as Reason) : 'BUG';
}

export function writeItemError(into: Writer, error: ItemError): void {
  into.number(1, codeNumber(error.code)).string(2, error.reason).words(3, error.message);
  into.words(4, error.help).string(5, error.taskId).number(6, error.retryAfterMs);
  for (const { field, description } of error.violations) {
    into.nested(7, (nested) => nested.words(1, field).words(2, description));
  }
}

function readViolation(reader: Reader): Violation {
  let field = '';
  let description = '';
  for (let number = reader.field(); number !== 0; number = reader.field()) {
    if (number === 1) field = reader.string();
    else if (number === 2) description = reader.string();
    else reader.skip();
  }
  return { field, description };
}

export function readItemError(reader: Reader): ItemError {
  let code = 0;
  let reason = '';
  let message = '';
  let help: string | undefined;
  let taskId: string | undefined;
  let retryAfterMs: number | undefined;
  const violations: Violation[] = [];
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) code = reader.number();
    else if (field === 2) reason = reader.string();
    else if (field === 3) message = reader.string();
    else if (field === 4) help = reader.string() || undefined;
    else if (field === 5) taskId = reader.string() || undefined;
    else if (field === 6) retryAfterMs = reader.number() || undefined;
    else if (field === 7) violations.push(readViolation(reader.nested()));
    else reader.skip();
  }
  return { code: codeOf(code), reason: reasonOf(reason), message, help, taskId, retryAfterMs, violations };
}
