/**
 * The compile-time check that JSON can carry the input of a contract. A fully recursive type is too deep for the
 * compiler on real inputs (unions such as GitHub's webhook events), so this type checks the leaves, six levels deep. It
 * accepts deeper, unknown and recursive parts; json.ts checks those at run time.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';

type JsonPrimitive = string | number | boolean | null | undefined;

/** The types of values that `JSON.stringify` drops, changes or refuses. */
type NonJsonValue =
  | bigint
  | symbol
  | Date
  | RegExp
  // biome-ignore lint/suspicious/noExplicitAny: any map, any set.
  | ReadonlyMap<any, any>
  // biome-ignore lint/suspicious/noExplicitAny: any map, any set.
  | ReadonlySet<any>
  | ArrayBufferView
  | ArrayBuffer
  | ((...parameters: never[]) => unknown);

type DepthBelow = [never, 0, 1, 2, 3, 4, 5];

/**
 * The types of the values inside `T` that JSON cannot carry, down to six levels; `never` if JSON can carry all of
 * `T`.
 */
export type NotJson<T, Depth extends number = 6> = 0 extends 1 & T
  ? never
  : unknown extends T
    ? never
    : [Depth] extends [never]
      ? never
      : T extends JsonPrimitive
        ? never
        : T extends NonJsonValue
          ? T
          : T extends readonly (infer Element)[]
            ? NotJson<Element, DepthBelow[Depth]>
            : T extends object
              ? { [K in keyof T]-?: NotJson<Exclude<T[K], undefined>, DepthBelow[Depth]> }[keyof T]
              : never;

/**
 * Requires that JSON can carry the input of a schema; otherwise the compile error names the type that JSON cannot
 * carry.
 */
export type JsonInput<Schema extends StandardSchemaV1> = [
  NotJson<StandardSchemaV1.InferInput<Schema>>,
] extends [never]
  ? unknown
  : { 'JSON cannot carry': NotJson<StandardSchemaV1.InferInput<Schema>> };
