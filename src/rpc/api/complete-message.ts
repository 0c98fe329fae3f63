import type { Message } from '@bufbuild/protobuf';

type CompleteField<V> = V extends Message ? CompleteMessage<V> : V;

/**
 * The type of a protobuf message in which every field is required: code that misses a new field of the schema does not
 * compile.
 */
export type CompleteMessage<M> = {
  [K in Exclude<keyof M, keyof Message>]-?: CompleteField<Exclude<M[K], undefined>>;
};
