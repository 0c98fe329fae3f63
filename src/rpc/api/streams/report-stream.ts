import { asHoldfastError, HoldfastError } from '../../../core/errors.ts';
import { limits } from '../../../core/limits.ts';
import type { ReportRequest, ReportResponse } from '../../../core/messages.ts';
import type { SettleContext } from '../../../service/service.ts';
import { reporterOf, requireVerb } from '../access.ts';
import type { CallContext, Received, ServerStream } from '../api.ts';
import type { Parts } from '../parts.ts';
import { ensureCount, heartbeatEach, settleEach } from '../reporting.ts';
import { reportHello } from '../validation/tables.ts';
import { ensure } from '../validation/validate.ts';
import { badSequence, type Channel, deaf, openChannel } from './channel.ts';

type Batch = Extract<ReportRequest, { batch: number }>;

/** Settlements and heartbeats of one worker. Answers come as they are ready, in whatever order. */
export function reportStream(
  parts: Parts,
  stream: ServerStream<ReportResponse>,
  context: CallContext,
): Received<ReportRequest> {
  const channel = openChannel<ReportResponse>(parts, stream, context, { draining() {}, closed() {} });
  if (channel === undefined) return deaf;
  const open: Channel<ReportResponse> = channel;
  let reporter: SettleContext | undefined;
  let waiting = 0;
  let ended = false;

  /** A hello again is a worker that moved to its next session. */
  function greet(hello: Extract<ReportRequest, { kind: 'hello' }>): void {
    ensure(reportHello, hello, parts.clock.now());
    requireVerb(context.identity, 'work');
    const sessionId = hello.sessionId === '' ? undefined : hello.sessionId;
    reporter = { ...reporterOf(context.identity, hello.tenant), sessionId };
  }

  async function answer(message: Batch, from: SettleContext): Promise<void> {
    const { batch } = message;
    if (message.kind === 'settlements') {
      const { results, credited } = await settleEach(parts, message.items, from);
      open.send({ kind: 'settled', batch, results, credited });
    } else {
      const answers = await heartbeatEach(parts, message.items, from);
      open.send({ kind: 'heartbeats', batch, answers });
    }
  }

  function take(message: ReportRequest): void {
    if (message.kind === 'hello') {
      greet(message);
      return;
    }
    if (reporter === undefined) throw helloFirst(message.kind);
    if (message.kind === 'keepAlive') return;
    ensureCount(message.items, parts.clock.now());
    if (waiting === limits.reportBatches) throw tooMany;
    waiting++;
    void answer(message, reporter)
      .catch((thrown: unknown) => open.end(asHoldfastError(thrown)))
      .finally(() => {
        waiting--;
        if (ended && waiting === 0) open.end();
      });
  }

  return {
    message(message) {
      open.messageReceived();
      try {
        take(message);
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
  `${limits.reportBatches} batches of this stream wait for the store, as many as may; the stream was cut.`,
  {
    help: 'Wait for answers before sending more. Open the stream again and resend what was not answered.',
    retryAfterMs: 1_000,
  },
);
