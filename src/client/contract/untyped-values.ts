/** Rules for values of any type, because a caller in JavaScript may pass anything. */
import type { Rule } from '../../core/rules.ts';

/** Returns the type of a value as words, such as `an array`. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Returns a rule that refuses a value that is no string, and applies `rule` to a string. */
export function stringRule<V extends string>(rule: Rule<V>): Rule<unknown> {
  return (value) => (typeof value === 'string' ? rule(value as V) : `is ${kindOf(value)}; give a string`);
}

/** Returns a rule that refuses a value that is no number, and applies `rule` to a number. */
export function numberRule(rule: Rule<number>): Rule<unknown> {
  return (value) => (typeof value === 'number' ? rule(value) : `is ${kindOf(value)}; give a number`);
}
