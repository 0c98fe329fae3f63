/**
 * Callers that submit without a pause, repeat each batch with the same keys until it is answered, and record the
 * answers.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Transport } from '../../../src/client/transport.ts';
import { noOptions } from '../../../src/core/codec/options.ts';
import { encodeSpec } from '../../../src/core/codec/spec.ts';
import type { SubmitItem } from '../../../src/core/messages.ts';

const batchItems = 32;
const payload = new TextEncoder().encode(JSON.stringify({ text: 'x'.repeat(180) }));
const envelope = { contentType: 'application/json', encoding: '', keyId: '', bytes: payload, reference: '' };
const spec = encodeSpec({ type: 'crash', typeVersion: 1, orderingKey: undefined, payload: envelope });

export interface Submitters {
  /** The id of every acknowledged task, by its key. */
  readonly acknowledged: ReadonlyMap<string, string>;
  /** The number of keys that were answered with two different ids. */
  readonly doubled: number;
  stop(): Promise<void>;
}

export function startSubmitters(transport: Transport, callers: number): Submitters {
  const acknowledged = new Map<string, string>();
  let doubled = 0;
  let stopped = false;
  let next = 0;

  async function untilAnswered(items: readonly SubmitItem[]): Promise<void> {
    let rest = items;
    while (rest.length > 0) {
      try {
        const { results } = await transport.submit(
          { tenant: '', queue: 'crash', items: rest },
          { timeoutMs: 5_000 },
        );
        const again: SubmitItem[] = [];
        results.forEach((result, i) => {
          const item = rest[i] as SubmitItem;
          if (result.error !== undefined) again.push(item);
          else recordId(item.key, result.id);
        });
        rest = again;
      } catch {
        await sleep(20);
      }
    }
  }

  function recordId(key: string, id: string): void {
    const known = acknowledged.get(key);
    if (known !== undefined && known !== id) doubled++;
    acknowledged.set(key, id);
  }

  async function caller(): Promise<void> {
    while (!stopped) {
      const items = Array.from({ length: batchItems }, (): SubmitItem => {
        const key = `crash/${String(next++).padStart(9, '0')}`;
        return { key, spec, options: noOptions, traceparent: '' };
      });
      await untilAnswered(items);
      // Some acknowledged keys are submitted again. They must give the same task.
      if (next % (batchItems * 16) === 0) await untilAnswered(items.slice(0, 4));
    }
  }

  const running = Array.from({ length: callers }, caller);
  return {
    acknowledged,
    get doubled() {
      return doubled;
    },
    async stop() {
      stopped = true;
      await Promise.all(running);
    },
  };
}
