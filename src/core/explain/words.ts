import { clipChars } from '../clip.ts';

/** The longest part of an error message that a sentence quotes. */
const longestQuoteChars = 300;

/** Returns a length of time in words, such as `4.2 s` or `3 h 5 min`. */
export function lengthOf(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return withRest(`${minutes} min`, Math.floor(seconds % 60), 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return withRest(`${hours} h`, minutes % 60, 'min');
  return withRest(`${Math.floor(hours / 24)} d`, hours % 24, 'h');
}

function withRest(text: string, rest: number, unit: string): string {
  return rest === 0 ? text : `${text} ${rest} ${unit}`;
}

/** Returns a number of bytes in whole MiB, rounded up, such as `128 MiB`. */
export function asMib(bytes: number): string {
  return `${Math.ceil(bytes / 1_048_576)} MiB`;
}

/** Returns a text about a store whose disk is full, without a full stop. */
export function fullStoreText(neededBytes: number): string {
  const until = neededBytes === 0 ? 'it has room' : `at least ${asMib(neededBytes)} of it are free`;
  return `The disk of the server's store is full, and no task is accepted or begins until ${until}`;
}

/** Returns a number of times in words, such as `once` or `3 times`. */
export function times(count: number): string {
  if (count === 1) return 'once';
  return count === 2 ? 'twice' : `${count} times`;
}

/** Returns a text of a user as the end of a sentence: on one line, clipped, with a full stop. */
export function asEnd(text: string): string {
  const line = clipChars(text, longestQuoteChars).replaceAll(/\s+/g, ' ').trim();
  return /[.!?…]$/.test(line) ? line : `${line}.`;
}

/**
 * Returns the next command of a verdict for a caller who has named a tenant. Without `--tenant` it would act on the caller's own
 * tenant, which may have a queue of the same name.
 */
export function forTenant(next: string, tenant: string): string {
  const takesNone = next === '' || next.startsWith('holdfast worker <');
  return tenant === '' || takesNone ? next : `${next} --tenant ${tenant}`;
}
