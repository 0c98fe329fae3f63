import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type { ReportRequest, ReportResponse } from '../../../core/messages.ts';
import type { SettleContext } from '../../../service/service.ts';
import type { CallContext, ServerStream, StreamReceiver } from '../api.ts';
import type { ApiDeps } from '../api-deps.ts';
import { reporterOf, requireVerb } from '../permission/access.ts';
import { ensureCount, heartbeatEach, settleEach } from '../reporting.ts';
import { reportHello } from '../validation/tables.ts';
import { ensure } from '../validation/validate.ts';
import { badSequence, inertReceiver, openChannel, type ServerChannel } from './server-channel.ts';

/** The memory of one heartbeat or settlement beside the bytes of its message. */
const itemBytes = 256;

type ReportBatch = Extract<ReportRequest, { batch: number }>;

/**
 * Serves one worker's stream of settlements and heartbeats. Answers are sent as soon as they are ready, in any order.
 */
export function reportStream(
  deps: ApiDeps,
  stream: ServerStream<ReportResponse>,
  context: CallContext,
): StreamReceiver<ReportRequest> {
  let unsubscribe = (): void => {};
  const channel = openChannel<ReportResponse>(deps, stream, context, {
    draining() {},
    closed: () => unsubscribe(),
  });
  if (channel === undefined) return inertReceiver;
  const open: ServerChannel<ReportResponse> = channel;
  let reporter: SettleContext | undefined;
  let waiting = 0;
  let ended = false;
  let isFinishing = false;
  if (!context.signal.aborted) unsubscribe = deps.onFinish(finish);

  /** Handles a hello message of the Report stream. A worker sends another hello when it has moved to a new session. */
  function greet(hello: Extract<ReportRequest, { kind: 'hello' }>): void {
    ensure(reportHello, hello, deps.clock.now());
    requireVerb(context.identity, 'work');
    const sessionId = hello.sessionId === '' ? undefined : hello.sessionId;
    const hellos = hello.hellos || undefined;
    reporter = { ...reporterOf(context.identity, hello.tenant), sessionId, hellos };
  }

  async function answer(message: ReportBatch, from: SettleContext): Promise<void> {
    const { batch } = message;
    if (message.kind === 'settlements') {
      const { results, credited } = await settleEach(deps, message.items, from);
      open.send({ kind: 'settled', batch, results, credited });
    } else {
      const answers = await heartbeatEach(deps, message.items, from);
      open.send({ kind: 'heartbeats', batch, answers });
    }
  }

  /** Adds the number of the session's hello messages, which an older worker does not name: the batch may wait for its turn. */
  function asOfNow(from: SettleContext): SettleContext {
    if (from.sessionId === undefined || from.hellos !== undefined) return from;
    return { ...from, hellos: deps.service.hellosOf(from.sessionId) };
  }

  function take(message: ReportRequest, bytes: number): void {
    if (message.kind === 'hello') {
      greet(message);
      return;
    }
    if (reporter === undefined) throw helloFirst(message.kind);
    if (message.kind === 'keepAlive') return;
    ensureCount(message.items, deps.clock.now());
    if (waiting === limits.reportBatches) throw tooMany;
    const uncount = deps.reportBytes.take(context.identity, bytes + itemBytes * message.items.length);
    waiting++;
    const from = asOfNow(reporter);
    void deps.unanswered
      .track(deps.reportTurns.run(context.identity, message.items.length, () => answer(message, from)))
      .catch((thrown: unknown) => open.end(asHoldfastError(thrown)))
      .finally(() => {
        waiting--;
        uncount();
        if (ended && waiting === 0) open.end();
      });
  }

  /** Ends the stream after the answers to all batches that have been received. Ignores later batches. */
  function finish(): void {
    isFinishing = true;
    ended = true;
    if (waiting === 0) open.end();
  }

  return {
    message(message, bytes = 0) {
      if (isFinishing) return;
      open.messageReceived();
      try {
        take(message, bytes);
      } catch (thrown) {
        open.end(asHoldfastError(thrown));
      }
    },
    closed(error) {
      ended = true;
      if (error !== undefined || waiting === 0) open.end();
    },
  };
}

function helloFirst(kind: string): HoldfastError {
  return badSequence(`The stream began with '${kind}'.`, 'Send hello first: the session and the worker.');
}

const tooMany = new HoldfastError(
  'RESOURCE_EXHAUSTED',
  'STORE_BUSY',
  `${limits.reportBatches} batches of this stream wait for the store, which is the limit; the stream was cut.`,
  {
    help: 'Wait for answers before sending more. Open the stream again and resend the batches without an answer.',
    retryAfterMs: 1_000,
  },
);
