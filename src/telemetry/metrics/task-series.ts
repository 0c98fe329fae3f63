import type { Priority } from '../../core/priority.ts';
import type { QueueRef } from '../../core/queue-ref.ts';
import { deadReasons } from '../../core/task/event.ts';
import type { SubmissionResult } from '../../ports/metrics.ts';
import { snakeCase } from './catalogue/tasks.ts';
import type { AttemptEnd } from './ended-claim.ts';
import type { Registry } from './registry.ts';
import type { Counter, Histogram } from './series.ts';

export type EndedState = 'succeeded' | 'dead' | 'cancelled';

/** Looks a series up once for each value of a label. */
class ByValue<Key extends string, Series> {
  readonly #known = new Map<Key, Series>();
  readonly #make: (key: Key) => Series;

  constructor(make: (key: Key) => Series) {
    this.#make = make;
  }

  of(key: Key): Series {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = this.#make(key);
    this.#known.set(key, made);
    return made;
  }
}

/** The series of the tasks of one queue and type. */
export class TaskSeries {
  readonly submissions: ByValue<SubmissionResult, Counter>;
  readonly attempts: ByValue<AttemptEnd, { readonly ended: Counter; readonly duration: Histogram }>;
  readonly ended: ByValue<EndedState, Histogram>;
  readonly waits: ByValue<Priority, Histogram>;
  readonly #registry: Registry;
  readonly #labels: { readonly queue: string; readonly tenant: string; readonly type: string };
  readonly #ends = new Map<string, Counter>();

  constructor(registry: Registry, { queue, tenant }: QueueRef, type: string) {
    const labels = { queue, tenant, type };
    this.#registry = registry;
    this.#labels = labels;
    this.submissions = new ByValue((result) =>
      registry.counter('holdfast.task.submissions', { ...labels, result }),
    );
    this.attempts = new ByValue((outcome) => ({
      ended: registry.counter('holdfast.attempt.ended', { ...labels, outcome }),
      duration: registry.histogram('holdfast.attempt.duration', { ...labels, outcome }),
    }));
    this.ended = new ByValue((outcome) =>
      registry.histogram('holdfast.task.duration', { ...labels, outcome }),
    );
    this.waits = new ByValue((priority) =>
      registry.histogram('holdfast.task.wait.duration', { ...labels, priority }),
    );
    // A counter that appears with its first event would hide that event from `increase` and `rate`.
    for (const reason of deadReasons) if (reason !== undefined) this.ends('dead', reason);
    registry.counter('holdfast.lease.expired', labels);
  }

  /** Returns the counter of tasks that ended so. `reason` is that of a death, otherwise empty. */
  ends(outcome: EndedState, reason: string): Counter {
    const key = reason === '' ? outcome : reason;
    const known = this.#ends.get(key);
    if (known !== undefined) return known;
    const labels = { ...this.#labels, outcome, reason: snakeCase(reason) };
    const made = this.#registry.counter('holdfast.task.ended', labels);
    this.#ends.set(key, made);
    return made;
  }
}

/**
 * Finds the series of a task by its queue and type, without an allocation. Names beyond the bound of the registry share
 * one entry, so that the maps stay as small as the metrics.
 */
export class TaskSeriesIndex {
  readonly #registry: Registry;
  readonly #byTenant = new Map<string, Map<string, Map<string, TaskSeries>>>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  of({ tenant, queue }: QueueRef, type: string): TaskSeries {
    const shown = this.#registry.tenants.has(tenant) ? tenant : '';
    return this.#byTenant.get(shown)?.get(queue)?.get(type) ?? this.#find(shown, queue, type);
  }

  #find(tenant: string, queueName: string, typeName: string): TaskSeries {
    const queue = this.#registry.boundedName('queue', queueName);
    const type = this.#registry.boundedName('type', typeName);
    const ofTenant = this.#byTenant.get(tenant) ?? new Map<string, Map<string, TaskSeries>>();
    this.#byTenant.set(tenant, ofTenant);
    const ofQueue = ofTenant.get(queue) ?? new Map<string, TaskSeries>();
    ofTenant.set(queue, ofQueue);
    const known = ofQueue.get(type);
    if (known !== undefined) return known;
    const made = new TaskSeries(this.#registry, { tenant, queue }, type);
    ofQueue.set(type, made);
    return made;
  }
}
