import type { Message } from '@bufbuild/protobuf';

type Plain<V> = V extends Message ? Whole<V> : V;

/** A message with each of its fields given: one that is added to the schema and forgotten does not compile. */
export type Whole<M> = {
  [K in Exclude<keyof M, keyof Message>]-?: Plain<Exclude<M[K], undefined>>;
};
