import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { nearest } from '../../core/nearest.ts';
import type { Priority } from '../../core/submission/submission.ts';
import type { Registry } from '../../ports/registry.ts';
import type { QueueRef } from '../../ports/task-store.ts';

export interface QueueSetting {
  readonly tenant: string;
  readonly queue: string;
  readonly paused: boolean;
  readonly onDead: 'release' | 'hold';
  /** Those that have an SQS queue of their own; absent where the engine needs none, or has its default. */
  readonly priorities?: readonly Priority[] | undefined;
}

/** A queue's configuration as it is registered, under `tenant/queue`. */
export type StoredSetting = Omit<QueueSetting, 'tenant' | 'queue'>;
type Stored = StoredSetting;

export const queueKind = 'queue';
const kind = queueKind;
export const initialSetting: Stored = { paused: false, onDead: 'release' };
const initial = initialSetting;

/** Names cannot hold a slash, so the parts of a key cannot run into one another. */
export function queueKey(ref: QueueRef): string {
  return `${ref.tenant}/${ref.queue}`;
}

/** Queue configuration, read at start and again every few seconds, so that decisions need no read of their own. */
export class QueueSettings {
  readonly #registry: Registry;
  readonly #createOnUse: boolean;
  readonly #known = new Map<string, QueueSetting>();
  readonly #listeners = new Set<() => void>();

  constructor(registry: Registry, createOnUse: boolean) {
    this.#registry = registry;
    this.#createOnUse = createOnUse;
  }

  async refresh(): Promise<void> {
    let changed = false;
    for (const entry of await this.#registry.list(kind, '')) {
      changed = this.#learn(entry.key, entry.value as Stored) || changed;
    }
    if (changed) this.#tell();
  }

  /** The setting as last read; the initial one where the queue is not known yet. */
  of(ref: QueueRef): QueueSetting {
    return this.#known.get(queueKey(ref)) ?? { tenant: ref.tenant, queue: ref.queue, ...initial };
  }

  has(ref: QueueRef): boolean {
    return this.#known.has(queueKey(ref));
  }

  ofTenant(tenant: string): readonly QueueSetting[] {
    return this.all().filter((setting) => setting.tenant === tenant);
  }

  all(): readonly QueueSetting[] {
    return [...this.#known.values()].sort((a, b) => (queueKey(a) < queueKey(b) ? -1 : 1));
  }

  /** Queues come into being at the first use where the engine allows it, else they must be there: QUEUE_UNKNOWN. */
  async ensure(ref: QueueRef): Promise<void> {
    if (this.#known.has(queueKey(ref))) return;
    const found = await this.#registry.get(kind, queueKey(ref));
    if (found !== undefined) {
      this.#learn(found.key, found.value as Stored);
      return;
    }
    if (!this.#createOnUse) throw this.unknown(ref);
    if (this.ofTenant(ref.tenant).length >= limits.queuesPerTenant) throw tooMany(ref);
    await this.#registry.put(kind, queueKey(ref), initial, 'absent');
    this.#learn(
      queueKey(ref),
      ((await this.#registry.get(kind, queueKey(ref)))?.value as Stored | undefined) ?? initial,
    );
  }

  async update(ref: QueueRef, change: Partial<Stored>): Promise<QueueSetting> {
    await this.ensure(ref);
    for (;;) {
      const found = await this.#registry.get(kind, queueKey(ref));
      const next = { ...initial, ...(found?.value as Stored | undefined), ...change };
      if (await this.#registry.put(kind, queueKey(ref), next, found?.rev ?? 'absent')) {
        if (this.#learn(queueKey(ref), next)) this.#tell();
        return this.of(ref);
      }
    }
  }

  /** Calls back when a setting changed; the answer ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  unknown(ref: QueueRef): HoldfastError {
    const names = this.ofTenant(ref.tenant).map((setting) => setting.queue);
    const meant = nearest(ref.queue, names);
    const others = names.length > 0 ? ` Queues of this tenant: ${names.slice(0, 8).join(', ')}.` : '';
    const hint = meant === undefined ? `Check the name.${others}` : `Did you mean '${meant}'?`;
    const create = this.#createOnUse ? 'submit to it once' : `\`${commandThatMakes(ref)}\``;
    return new HoldfastError(
      'NOT_FOUND',
      'QUEUE_UNKNOWN',
      `There is no queue '${ref.queue}' for tenant '${ref.tenant}'.`,
      { help: `${hint} To create it: ${create}.` },
    );
  }

  #learn(key: string, value: Stored): boolean {
    const [tenant = '', queue = ''] = key.split('/');
    const before = this.#known.get(key);
    const { paused, onDead, priorities } = value;
    this.#known.set(key, { tenant, queue, paused, onDead, ...(priorities && { priorities }) });
    return before === undefined || before.paused !== value.paused || before.onDead !== value.onDead;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** What the store is named by, only its engine knows. */
function commandThatMakes({ tenant, queue }: QueueRef): string {
  const whose = tenant === 'default' ? '' : `--tenant ${tenant} `;
  return `holdfast aws init --table <name> ${whose}--queue ${queue}`;
}

function tooMany({ tenant, queue }: QueueRef): HoldfastError {
  const has = `Tenant '${tenant}' has ${limits.queuesPerTenant.toLocaleString('en')} queues, as many as may be made`;
  return new HoldfastError('FAILED_PRECONDITION', 'TOO_MANY_QUEUES', `${has}; '${queue}' was not.`, {
    help: 'Use ordering keys or tags to tell tasks apart, and queues for what is worked on differently.',
  });
}
