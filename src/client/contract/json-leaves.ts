/**
 * The compile-time check that a contract's wire form is JSON. A full recursive "is this JSON" type fails on real
 * inputs (deep unions such as GitHub's webhook events), so only the leaves are looked for, six levels deep; deeper,
 * unknown and recursive parts are let through and met at run time (json.ts).
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';

type Carried = string | number | boolean | null | undefined;

/** What `JSON.stringify` drops, mangles or refuses. */
type Lost =
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

type Shallower = [never, 0, 1, 2, 3, 4, 5];

/** The leaves of `T` that JSON cannot carry; `never` where there are none. */
export type NotJson<T, Depth extends number = 6> = 0 extends 1 & T
  ? never
  : unknown extends T
    ? never
    : [Depth] extends [never]
      ? never
      : T extends Carried
        ? never
        : T extends Lost
          ? T
          : T extends readonly (infer Element)[]
            ? NotJson<Element, Shallower[Depth]>
            : T extends object
              ? { [K in keyof T]-?: NotJson<Exclude<T[K], undefined>, Shallower[Depth]> }[keyof T]
              : never;

/** Asks of a schema that JSON can carry its input; else the error names the culprit. */
export type JsonInput<Schema extends StandardSchemaV1> = [
  NotJson<StandardSchemaV1.InferInput<Schema>>,
] extends [never]
  ? unknown
  : { 'JSON cannot carry': NotJson<StandardSchemaV1.InferInput<Schema>> };
