import type { StreamEvents, Transport } from '../../client/transport.ts';
import { decodeLease } from '../../core/codec/lease.ts';
import { timing } from '../../core/limits.ts';
import type { HeartbeatAnswer, HeartbeatItem, ReportResponse } from '../../core/messages.ts';
import type { Clock } from '../../ports/clock.ts';

type Answered = Extract<ReportResponse, { readonly kind: 'heartbeats' }>;

const renewed: HeartbeatAnswer = { verdict: 'renewed', leaseMs: timing.leaseMs };
/** How long, in ms, the heartbeats of a task are kept from the server: until the lease that it had has certainly expired. */
const withheldMs = timing.leaseMs + timing.heartbeatMs;

/** Keeps the heartbeats of some tasks from the server, and tells the worker that they were answered. */
export class LostLeases {
  readonly #clock: Clock;
  readonly #untilMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From now on the lease of this task is not renewed, until it has expired. */
  lose(id: string): void {
    this.#untilMs.set(id, this.#clock.now() + withheldMs);
  }

  /** Returns the transport of a worker whose report streams lose the heartbeats. */
  over(transport: Transport): Transport {
    return { ...transport, report: (events) => this.#report(transport, events) };
  }

  #report(transport: Transport, events: StreamEvents<ReportResponse>): ReturnType<Transport['report']> {
    /** The lost places of each batch of heartbeats that the server has part of. */
    const lost = new Map<number, readonly boolean[]>();
    const outgoing = transport.report({
      message: (message) => events.message(message.kind === 'heartbeats' ? whole(message, lost) : message),
      end: (error) => events.end(error),
    });
    return {
      ...outgoing,
      send: (message) => {
        if (message.kind !== 'heartbeats') return outgoing.send(message);
        const { batch, items } = message;
        const isLost = items.map((item) => this.#isLost(item));
        if (!isLost.includes(true)) return outgoing.send(message);
        const kept = items.filter((_, i) => isLost[i] !== true);
        if (kept.length > 0) {
          lost.set(batch, isLost);
          return outgoing.send({ ...message, items: kept });
        }
        const answers = items.map(() => renewed);
        this.#clock.soon(() => events.message({ kind: 'heartbeats', batch, answers }));
        return true;
      },
    };
  }

  #isLost({ lease }: HeartbeatItem): boolean {
    const { id } = decodeLease(lease);
    const untilMs = this.#untilMs.get(id);
    if (untilMs === undefined) return false;
    if (this.#clock.now() < untilMs) return true;
    this.#untilMs.delete(id);
    return false;
  }
}

/** Adds the answers for the heartbeats that the server did not get. */
function whole(message: Answered, lost: Map<number, readonly boolean[]>): Answered {
  const places = lost.get(message.batch);
  if (places === undefined) return message;
  lost.delete(message.batch);
  const answers = [...message.answers];
  return { ...message, answers: places.map((isLost) => (isLost ? renewed : (answers.shift() ?? renewed))) };
}
