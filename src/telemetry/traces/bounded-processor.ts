import type { BatchSpanProcessor, ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import type { CollectorLog } from '../otlp/collector-log.ts';

/**
 * Passes ended spans to a processor that sends them in batches, and counts those that are not sent yet, also while a request
 * is under way: a collector that is down or slow costs spans, but no more memory than these.
 */
export class BoundedProcessor implements SpanProcessor {
  readonly #most: number;
  readonly #log: CollectorLog;
  readonly #inner: BatchSpanProcessor;
  #unsent = 0;

  /** `make` makes the inner processor, with its exporter wrapped by the function that it is given. */
  constructor(
    most: number,
    log: CollectorLog,
    make: (counted: (exporter: SpanExporter) => SpanExporter) => BatchSpanProcessor,
  ) {
    this.#most = most;
    this.#log = log;
    this.#inner = make((exporter) => this.#counted(exporter));
  }

  /** The number of spans that were not sent yet. */
  get unsent(): number {
    return this.#unsent;
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & 1) === 0) return;
    if (this.#unsent >= this.#most) {
      this.#log.dropped(1);
      return;
    }
    this.#unsent++;
    this.#inner.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.#inner.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }

  /** Returns an exporter that logs its failures itself: those that it returned would be logged one by one. */
  #counted(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans, done) =>
        exporter.export(spans, (result) => {
          this.#unsent -= spans.length;
          if (result.code !== 0) this.#log.failed(spans.length, result.error);
          done({ code: 0 });
        }),
      shutdown: () => exporter.shutdown(),
    };
  }
}
