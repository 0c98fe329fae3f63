import {
  type Context,
  context,
  INVALID_TRACEID,
  type Attributes as OtelAttributes,
  type Span as OtelSpan,
  type ProxyTracerProvider,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import { traceparent as traceparentRule } from '../../core/rules.ts';
import { type Attributes, conventions } from '../../ports/trace-names.ts';
import { noTracing, type Span, type SpanFailure, type SpanStart, type Tracing } from '../../ports/tracing.ts';

const kinds = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

/** The longest text of a failure in a span, in characters. */
const messageChars = 1_024;

/** Returns the traceparent of a span; empty for one that belongs to no trace. */
function traceparentOf({ traceId, spanId, traceFlags }: SpanContext): string {
  if (traceId === INVALID_TRACEID || traceId.length !== INVALID_TRACEID.length) return '';
  const flags = traceFlags < 16 ? `0${traceFlags.toString(16)}` : (traceFlags & 0xff).toString(16);
  return `00-${traceId}-${spanId}-${flags}`;
}

/** Returns the remote span that a traceparent names; undefined if it is empty or malformed. */
export function remoteSpan(traceparent: string): SpanContext | undefined {
  if (traceparent === '' || traceparentRule(traceparent) !== undefined) return undefined;
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-');
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}

function contextOf(parent: string): Context {
  if (parent === 'active') return context.active();
  const remote = remoteSpan(parent);
  return remote === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remote);
}

class RecordedSpan implements Span {
  readonly traceparent: string;
  readonly #span: OtelSpan;
  readonly #isRemote: boolean;

  constructor(span: OtelSpan, isRemote: boolean) {
    this.#span = span;
    this.#isRemote = isRemote;
    this.traceparent = traceparentOf(span.spanContext());
  }

  get isRecording(): boolean {
    return this.#span.isRecording();
  }

  run<T>(work: () => T): T {
    // A span of another process's trace begins with an empty context, so that nothing of this process's callers joins it.
    const around = this.#isRemote ? ROOT_CONTEXT : context.active();
    return context.with(trace.setSpan(around, this.#span), work);
  }

  set(attributes: Attributes): void {
    try {
      if (this.#span.isRecording()) this.#span.setAttributes(attributes as OtelAttributes);
    } catch {}
  }

  end(failure?: SpanFailure): void {
    // A span processor of the program may throw here. A task must not fail by it.
    try {
      if (failure !== undefined) {
        this.#span.setAttribute('error.type', failure.type);
        const message = failure.message?.slice(0, messageChars);
        this.#span.setStatus({ code: SpanStatusCode.ERROR, ...(message !== undefined && { message }) });
      }
      this.#span.end();
    } catch {}
  }
}

/**
 * Records spans by the OpenTelemetry SDK that this process has registered, whenever that was. Without one it is off.
 */
export class OtelTracing implements Tracing {
  readonly #version: string;
  #provider: TracerProvider | undefined;
  #tracer: Tracer | undefined;

  /** `version` is the version of this package, which the spans name. */
  constructor(version: string) {
    this.#version = version;
  }

  get isOn(): boolean {
    return this.#current() !== undefined;
  }

  active(): string {
    const ids = trace.getSpanContext(context.active());
    return ids === undefined ? '' : traceparentOf(ids);
  }

  start(span: SpanStart): Span {
    try {
      return this.#start(span);
    } catch {
      // A sampler or a span processor of the program has thrown.
      return noTracing.start(span);
    }
  }

  #start({ name, kind, parent, link, attributes, startedAtMs }: SpanStart): Span {
    const around = contextOf(parent);
    const linked = link === undefined ? undefined : remoteSpan(link);
    const options: SpanOptions = { kind: kinds[kind] };
    if (linked !== undefined) options.links = [{ context: linked }];
    if (startedAtMs !== undefined) options.startTime = startedAtMs;
    const tracer = this.#current() ?? trace.getTracer('holdfast');
    const span = tracer.startSpan(name, options, around);
    // The SDK copies attributes before its sampler decides. Without them a trace that is not sampled costs half as much.
    if (span.isRecording()) span.setAttributes(attributes as OtelAttributes);
    return new RecordedSpan(span, parent !== 'active');
  }

  /** Returns the tracer of the registered SDK. It is looked for again only when another provider was registered. */
  #current(): Tracer | undefined {
    const registered = trace.getTracerProvider();
    const provider = isProxy(registered) ? registered.getDelegate() : registered;
    if (provider !== this.#provider) {
      this.#provider = provider;
      const isReal = !isProxy(registered) || registered.getDelegateTracer('holdfast') !== undefined;
      const options = { schemaUrl: conventions };
      this.#tracer = isReal ? provider.getTracer('holdfast', this.#version, options) : undefined;
    }
    return this.#tracer;
  }
}

/** Another copy of the API may have made the provider, so its class says nothing. */
function isProxy(provider: TracerProvider): provider is ProxyTracerProvider {
  return 'getDelegateTracer' in provider && 'getDelegate' in provider;
}
