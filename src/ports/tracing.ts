import { asHoldfastError } from '../core/errors.ts';
import type { Attributes } from './trace-names.ts';

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** How an operation failed, as its span carries it. */
export interface SpanFailure {
  /** The class of the failure: an error's name or a reason, never its text. */
  readonly type: string;
  readonly message?: string | undefined;
}

export interface SpanStart {
  readonly name: string;
  readonly kind: SpanKind;
  /** A W3C traceparent, `active` for the span of the caller's context, or an empty text for a new trace. */
  readonly parent: string;
  /** The traceparent of a span of another trace to which the new span is linked. */
  readonly link?: string | undefined;
  readonly attributes: Attributes;
  /** When the operation began, on the monotonic clock. Default: now. */
  readonly startedAtMs?: number | undefined;
}

/** One operation of a trace. Nothing that is done with a span throws, whatever records it. */
export interface Span {
  /** The W3C traceparent by which other processes continue the trace; it says whether the trace is sampled. */
  readonly traceparent: string;
  /** False if nothing is recorded of the operation, so that its attributes and its end may be left out. */
  readonly isRecording: boolean;
  /** Calls `work` within the span's context, so that spans that are begun in it, also later, are its children. */
  run<T>(work: () => T): T;
  set(attributes: Attributes): void;
  end(failure?: SpanFailure): void;
}

/**
 * Records spans. Callers check `isOn` once for a batch, and begin a span only for what belongs to a sampled trace
 * (`isSampled`), so that a task without one costs next to nothing.
 */
export interface Tracing {
  /** False if nothing records spans. It may change while the process runs. */
  readonly isOn: boolean;
  /** The traceparent of the span of the caller's context; empty if there is none. */
  active(): string;
  start(span: SpanStart): Span;
}

/** Returns how an operation failed that threw an error of this package, or an unexpected one. */
export function failureOf(thrown: unknown): SpanFailure {
  const { reason, message } = asHoldfastError(thrown);
  return { type: reason, message };
}

const noSpan: Span = Object.freeze({
  traceparent: '',
  isRecording: false,
  run: <T>(work: () => T): T => work(),
  set() {},
  end() {},
});

/** The tracing of a process that records no spans. */
export const noTracing: Tracing = Object.freeze({ isOn: false, active: () => '', start: () => noSpan });
