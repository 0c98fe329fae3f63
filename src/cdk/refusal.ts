import type { Construct } from 'constructs';
import { HoldfastError } from '../core/errors.ts';

/** Returns the error for properties of a construct that make no sense, or none together. Synthesis ends with it. */
export function refusal(scope: Construct, sentence: string, help: string): HoldfastError {
  const path = scope.node.path === '' ? scope.node.id : scope.node.path;
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', `${path}: ${sentence} ${help}`, { help });
}

/** Refuses properties of which one that is needed is left out. TypeScript refuses them too; a program in JavaScript has no types. */
export function need<Props extends object>(
  scope: Construct,
  props: Props,
  needed: readonly (keyof Props & string)[],
): void {
  const missing = needed.find((name) => props[name] === undefined || props[name] === '');
  if (missing !== undefined) throw refusal(scope, `${missing} is missing.`, `Give ${missing}.`);
}

/**
 * Returns the value if it is one of the allowed words. Properties are strings and not unions, so that the constructs can be
 * used from every language of the CDK.
 */
export function oneOf<T extends string>(
  scope: Construct,
  property: string,
  value: string,
  allowed: readonly T[],
): T {
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  const words = allowed.map((one) => `'${one}'`).join(', ');
  throw refusal(scope, `${property} is '${value}'.`, `Write one of ${words}.`);
}
