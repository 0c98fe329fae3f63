/**
 * A worker without the SDK. It settles every assignment, and repeats settlements that a broken stream left unanswered.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outgoing, Transport } from '../../../src/client/transport.ts';
import type { Assignment, ReportRequest, Settlement, WorkRequest } from '../../../src/core/messages.ts';

const credits = 256;
const bytes = 1_000_000;
const batchItems = 100;

function settlementOf(task: Assignment): Settlement {
  return {
    lease: Uint8Array.from(task.lease),
    outcome: 'succeeded',
    result: undefined,
    message: '',
    errorType: '',
    afterMs: undefined,
    begun: false,
  };
}

export class WireWorker {
  readonly #transport: Transport;
  readonly #unanswered = new Map<number, Settlement[]>();
  #work: Outgoing<WorkRequest> | undefined;
  #report: Outgoing<ReportRequest> | undefined;
  #batch = 0;
  #stopped = false;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      await this.#oneStream().catch(() => {});
      if (!this.#stopped) await sleep(50);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#work?.end();
    this.#report?.end();
  }

  #oneStream(): Promise<void> {
    return new Promise((resolve) => {
      this.#work = this.#transport.work({
        message: (message) => {
          if (message.kind === 'welcome') this.#openReport(message.sessionId);
          else if (message.kind === 'drain') this.#work?.end();
          else if (message.kind === 'assignments') {
            this.#work?.send({ kind: 'received', seq: message.seq, begun: [], attempts: [], kept: [] });
            this.#settle(message.tasks.map(settlementOf));
          }
        },
        end: () => {
          this.#report?.end();
          this.#report = undefined;
          resolve();
        },
      });
      const types = [{ type: 'crash', maxVersion: 1 }];
      const worker = { workerName: 'crash', workerId: 'crash-1', tenant: '' };
      this.#work.send({
        kind: 'hello',
        ...worker,
        queues: ['crash'],
        types,
        tasks: credits,
        bytes,
        reportsBegun: false,
      });
    });
  }

  #openReport(sessionId: string): void {
    this.#report = this.#transport.report({
      message: (message) => {
        if (message.kind !== 'settled') return;
        const sent = this.#unanswered.get(message.batch) ?? [];
        this.#unanswered.delete(message.batch);
        const again = sent.filter((_, i) => {
          const error = message.results[i]?.error;
          return error !== undefined && (error.code === 'UNAVAILABLE' || error.code === 'RESOURCE_EXHAUSTED');
        });
        if (again.length > 0) this.#settle(again);
        if (!message.credited)
          this.#work?.send({ kind: 'credit', tasks: sent.length, bytes: sent.length * 250, types: [] });
      },
      end: () => {},
    });
    this.#report.send({ kind: 'hello', sessionId, workerId: 'crash-1', tenant: '' });
    const before = [...this.#unanswered.values()].flat();
    this.#unanswered.clear();
    this.#settle(before);
  }

  #settle(items: readonly Settlement[]): void {
    for (let i = 0; i < items.length; i += batchItems) {
      const part = items.slice(i, i + batchItems);
      const batch = ++this.#batch;
      this.#unanswered.set(batch, part);
      this.#report?.send({ kind: 'settlements', batch, items: part });
    }
  }
}
