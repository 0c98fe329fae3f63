import type { DescMethodUnary, DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { CallContext } from './api.ts';

export type MethodHandler<M extends DescMethodUnary> = (
  request: MessageShape<M['input']>,
  context: CallContext,
) => Promise<MessageInitShape<M['output']>>;

type UnaryNames<S extends DescService> = {
  [K in keyof S['method']]: S['method'][K] extends DescMethodUnary ? K : never;
}[keyof S['method']];

/** A handler for each unary method of a service. */
export type MethodHandlers<S extends DescService> = {
  readonly [K in UnaryNames<S>]: S['method'][K] extends DescMethodUnary
    ? MethodHandler<S['method'][K]>
    : never;
};
