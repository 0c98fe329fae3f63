import { type Attributes, spanNames } from '../ports/trace-names.ts';
import { failureOf, type Span, type SpanFailure, type Tracing } from '../ports/tracing.ts';

/** The spans of one step of a batch (a submission, a settlement), by the places of those items that are traced. */
export class StepSpans {
  readonly #tracing: Tracing;
  readonly #spans: Map<number, Span>;

  constructor(tracing: Tracing, spans: Map<number, Span>) {
    this.#tracing = tracing;
    this.#spans = spans;
  }

  /**
   * Runs the write of the batch, with a span of it for each traced item. What the engine itself records, such as requests
   * to AWS, becomes part of the first item's trace: one request serves many tasks.
   */
  async commit<T>(write: () => Promise<T>): Promise<T> {
    const commits = [...this.#spans.values()].map(({ traceparent }) =>
      this.#tracing.start({ name: spanNames.commit, kind: 'internal', parent: traceparent, attributes: {} }),
    );
    let failure: SpanFailure | undefined;
    try {
      return await (commits[0]?.run(write) ?? write());
    } catch (thrown) {
      failure = failureOf(thrown);
      throw thrown;
    } finally {
      for (const commit of commits) commit.end(failure);
    }
  }

  /** Calls `work` within the span of an item; an item that is not traced has none. */
  within<T>(index: number, work: () => T): T {
    const span = this.#spans.get(index);
    return span === undefined ? work() : span.run(work);
  }

  end(index: number, attributes: Attributes, failure?: SpanFailure): void {
    const span = this.#spans.get(index);
    if (span === undefined) return;
    this.#spans.delete(index);
    span.set(attributes);
    span.end(failure);
  }

  /** The places of the items whose spans have not ended. */
  get open(): readonly number[] {
    return [...this.#spans.keys()];
  }
}
