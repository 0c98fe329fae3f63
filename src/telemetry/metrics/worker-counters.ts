import type { Reason } from '../../core/errors.ts';
import type { GaugeSource, WorkerMetrics } from '../../ports/metrics.ts';
import type { Registry } from './registry.ts';

/** Counts the attempts and the calls of the workers of this process in the series of a registry. */
export class WorkerCounters implements WorkerMetrics {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  consumed(queue: string, tasks: number): void {
    const labels = { ...destination(queue), 'messaging.operation.name': 'receive' };
    this.#registry.counter('messaging.client.consumed.messages', labels).add(tasks);
  }

  processed(queue: string, outcome: string | undefined, ms: number): void {
    const errorType = outcome === 'succeeded' ? '' : (outcome ?? 'lease_lost');
    const labels = {
      ...destination(queue),
      'messaging.operation.name': 'process',
      'error.type': errorType,
    };
    this.#registry.histogram('messaging.process.duration', labels).record(ms / 1_000);
  }

  called(method: string, status: string, reason: Reason | undefined, ms: number): void {
    const labels = { 'rpc.method': method, 'rpc.status_code': status, 'error.type': errorTypeOf(reason) };
    this.#registry.histogram('rpc.client.call.duration', labels).record(ms / 1_000);
  }

  sent(queue: string, tasks: number, reason: Reason | undefined, ms: number): void {
    const labels = {
      ...destination(queue),
      'messaging.operation.name': 'submit',
      'error.type': errorTypeOf(reason),
    };
    this.#registry.counter('messaging.client.sent.messages', labels).add(tasks);
    this.#registry.histogram('messaging.client.operation.duration', labels).record(ms / 1_000);
  }

  addSource(source: GaugeSource): void {
    this.#registry.addSource(source);
  }
}

function destination(queue: string): { readonly 'messaging.destination.name': string } {
  return { 'messaging.destination.name': queue };
}

function errorTypeOf(reason: Reason | undefined): string {
  return reason?.toLowerCase() ?? '';
}
