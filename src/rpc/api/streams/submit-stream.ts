import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type {
  StreamedBatch,
  StreamedResult,
  SubmitStreamRequest,
  SubmitStreamResponse,
} from '../../../core/messages.ts';
import { itemError } from '../../../service/rejections.ts';
import type { CallContext, ServerStream, StreamReceiver, SubmissionAdmission } from '../api.ts';
import type { ApiDeps } from '../api-deps.ts';
import { inertReceiver, openChannel } from './server-channel.ts';

/** The memory of one submission that waits for the store beside the bytes of its message. */
const itemBytes = 512;
/** The memory of one batch that waits for the store beside its items and the bytes of its message. */
const batchBytes = 1_024;
/** The most answers of one message: with 100 results each they stay well below the largest message that a client reads. */
const mostAnswers = 128;

/**
 * Serves a stream of SubmitTasks calls. Each batch is one call, and its answer is sent as soon as it is ready, together with the
 * others of that moment.
 */
export function submitStream(
  deps: ApiDeps,
  stream: ServerStream<SubmitStreamResponse>,
  context: CallContext,
  admission: SubmissionAdmission,
): StreamReceiver<SubmitStreamRequest> {
  let unsubscribe = (): void => {};
  const channel = openChannel<SubmitStreamResponse>(deps, stream, context, {
    draining() {},
    closed: () => unsubscribe(),
  });
  if (channel === undefined) return inertReceiver;
  const open = channel;
  let answers: StreamedResult[] = [];
  let waiting = 0;
  let ended = false;
  let isFinishing = false;
  if (!context.signal.aborted) unsubscribe = deps.onFinish(finish);

  /** Sends the answers that are ready, and ends the stream after the last one. */
  function flush(): void {
    const ready = answers;
    answers = [];
    for (let i = 0; i < ready.length; i += mostAnswers)
      open.send({ kind: 'results', results: ready.slice(i, i + mostAnswers) });
    if (ended && waiting === 0) open.end();
  }

  function answer(one: StreamedResult): void {
    // The results of one commit are ready in the same turn of the event loop, and go out in one message.
    if (answers.push(one) === 1) queueMicrotask(flush);
  }

  /** Takes the batches of one message. Each of them keeps the whole message in memory until it is answered. */
  function takeMessage(batches: readonly StreamedBatch[], bytes: number): void {
    if (waiting + batches.length > limits.submitStreamBatches) throw tooMany;
    const refusal = admission.take(bytes);
    if (refusal !== undefined) {
      for (const { batch } of batches) answer({ batch, error: itemError(refusal) });
      return;
    }
    let unanswered = batches.length;
    const release = (): void => {
      if (--unanswered === 0) admission.giveBack(bytes);
    };
    for (const one of batches) take(one, release);
  }

  function take({ batch, timeoutMs, request }: StreamedBatch, release: () => void): void {
    const bytes = batchBytes + itemBytes * request.items.length;
    const refusal = admission.take(bytes);
    if (refusal !== undefined) {
      release();
      answer({ batch, error: itemError(refusal) });
      return;
    }
    waiting++;
    const done = (one: StreamedResult): void => {
      waiting--;
      admission.giveBack(bytes);
      release();
      answer(one);
    };
    const { identity, traceparent, signal } = context;
    const notAfterMs = timeoutMs === 0 ? undefined : deps.clock.monotonic() + timeoutMs;
    const call: CallContext = { identity, notAfterMs, traceparent, signal };
    deps.unanswered.track(admission.submit(request, call)).then(
      ({ results }) => done({ batch, results, error: undefined }),
      (thrown: unknown) => done({ batch, error: itemError(thrown) }),
    );
  }

  /** Ends the stream after the answers to all batches that have been received. Ignores later batches. */
  function finish(): void {
    isFinishing = true;
    ended = true;
    flush();
  }

  return {
    message(message, bytes = 0) {
      if (isFinishing) return;
      open.messageReceived();
      if (message.kind === 'keepAlive') return;
      try {
        takeMessage(message.batches, bytes);
      } catch (thrown) {
        open.end(asHoldfastError(thrown));
      }
    },
    closed(error) {
      ended = true;
      if (error === undefined) flush();
      else open.end();
    },
  };
}

const tooMany = new HoldfastError(
  'RESOURCE_EXHAUSTED',
  'STORE_BUSY',
  `${limits.submitStreamBatches.toLocaleString('en')} batches of this stream have no answer, which is the limit; the stream was cut.`,
  {
    help: 'Wait for answers before sending more. Open the stream again and send the batches without an answer with the same keys.',
    retryAfterMs: 1_000,
  },
);
