import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { nearest } from '../../core/nearest.ts';
import type { Priority } from '../../core/priority.ts';
import { type QueueRef, queueKey } from '../../core/queue-ref.ts';
import type { Registry } from '../../ports/registry.ts';

/** The order to free the lanes that dead tasks of a queue hold, until the node that reconciles the queue has done it. */
export interface LaneRelease {
  /** When the queue's `onDead` was set to `release`, in ms. */
  readonly sinceMs: number;
  /** The identity that set it. */
  readonly actor: string;
}

/** Who paused a queue, when, why and until when. */
export interface QueuePause {
  /** When the queue was paused, in ms. */
  readonly sinceMs: number;
  /** The identity that paused it, or changed the reason or the end of the pause. */
  readonly actor: string;
  /** The reason that was given. */
  readonly reason?: string | undefined;
  /** When a server resumes the queue, in ms. Absent: nobody but an operator resumes it. */
  readonly untilMs?: number | undefined;
}

/** A change of a queue's configuration by an operator. Parts that are absent stay as they are. */
export interface QueueChange {
  readonly paused?: boolean | undefined;
  /** The reason of a pause. Default: none. */
  readonly reason?: string | undefined;
  /** When a pause ends by itself, in ms. Default: an operator ends it. */
  readonly untilMs?: number | undefined;
  readonly onDead?: 'release' | 'hold' | undefined;
  /** True if a missing queue is created first. Default: the change of a missing queue is refused. */
  readonly create?: boolean | undefined;
}

export interface QueueSetting {
  readonly tenant: string;
  readonly queue: string;
  readonly paused: boolean;
  /** Absent if the queue is not paused, or was paused by version 0.1.0. */
  readonly pause?: QueuePause | undefined;
  readonly onDead: 'release' | 'hold';
  /**
   * The priorities that have an SQS queue of their own. Absent if the engine needs no SQS queues, or if the queue has the
   * default priorities.
   */
  readonly priorities?: readonly Priority[] | undefined;
  /** The form of the names of the queue's SQS queues. Absent in a registration by version 0.1.0: form 1. */
  readonly nameForm?: 1 | 2 | undefined;
  readonly laneRelease?: LaneRelease | undefined;
}

/** A queue's configuration as stored in the registry, under the key `tenant/queue`. */
export type StoredSetting = Omit<QueueSetting, 'tenant' | 'queue'>;

export const queueKind = 'queue';
const kind = queueKind;
export const initialSetting: StoredSetting = { paused: false, onDead: 'release' };
const initial = initialSetting;

/**
 * Caches the configuration of all queues. The configuration is read from the registry at start and again every few seconds,
 * so that a use case need not read it for each decision.
 */
export class QueueSettings {
  readonly #registry: Registry;
  readonly #createOnUse: boolean;
  readonly #settings = new Map<string, QueueSetting>();
  readonly #queuesByTenant = new Map<string, number>();
  /** The queues that are being created, by their keys. They count, so that simultaneous calls cannot pass a limit. */
  readonly #creating = new Map<string, QueueRef>();
  readonly #listeners = new Set<(changed: readonly QueueRef[]) => void>();

  constructor(registry: Registry, createOnUse: boolean) {
    this.#registry = registry;
    this.#createOnUse = createOnUse;
  }

  async refresh(): Promise<void> {
    const entries = await this.#registry.list(kind, '');
    this.#cacheSettings(entries.map(({ key, value }) => [key, value as StoredSetting]));
  }

  /**
   * Returns the queue's configuration as last read from the registry, or the initial configuration if the queue is not
   * known yet.
   */
  of(ref: QueueRef): QueueSetting {
    return this.#settings.get(queueKey(ref)) ?? { tenant: ref.tenant, queue: ref.queue, ...initial };
  }

  has(ref: QueueRef): boolean {
    return this.#settings.has(queueKey(ref));
  }

  ofTenant(tenant: string): readonly QueueSetting[] {
    return this.all().filter((setting) => setting.tenant === tenant);
  }

  all(): readonly QueueSetting[] {
    return [...this.#settings.values()].sort((a, b) => (queueKey(a) < queueKey(b) ? -1 : 1));
  }

  /**
   * Makes sure that the queue exists. A missing queue is created if this node creates queues at their first use; otherwise
   * throws QUEUE_UNKNOWN.
   */
  async ensure(ref: QueueRef): Promise<void> {
    if (this.#settings.has(queueKey(ref)) || (await this.#find(ref))) return;
    if (!this.#createOnUse) throw this.unknownQueue(ref);
    this.#ensureRoomFor(ref);
    this.#creating.set(queueKey(ref), ref);
    try {
      await this.#registry.put(kind, queueKey(ref), initial, 'absent');
      const found = await this.#registry.get(kind, queueKey(ref));
      this.#cacheSettings([[queueKey(ref), (found?.value as StoredSetting | undefined) ?? initial]]);
    } finally {
      this.#creating.delete(queueKey(ref));
    }
  }

  /**
   * Reads an unknown queue's configuration from the registry, for a caller that may wait for a queue's first task: an unknown
   * queue then has the initial configuration, and nothing is created, because the name may be mistyped.
   *
   * @throws HoldfastError QUEUE_UNKNOWN if this node does not create queues at their first use.
   */
  async look(ref: QueueRef): Promise<void> {
    if (this.#settings.has(queueKey(ref)) || (await this.#find(ref)) || this.#createOnUse) return;
    throw this.unknownQueue(ref);
  }

  /**
   * Changes the configuration of a queue that exists. `change` may depend on the stored configuration. `create` creates a
   * missing queue first, if this node may create queues.
   *
   * @throws HoldfastError QUEUE_UNKNOWN if the queue does not exist.
   */
  async update(
    ref: QueueRef,
    change: Partial<StoredSetting> | ((before: StoredSetting) => Partial<StoredSetting>),
    create = false,
  ): Promise<QueueSetting> {
    if (create) await this.ensure(ref);
    for (;;) {
      const found = await this.#registry.get(kind, queueKey(ref));
      if (found === undefined) {
        await this.refresh();
        throw this.unknownQueue(ref);
      }
      const before = { ...initial, ...(found.value as StoredSetting) };
      const next = { ...before, ...(typeof change === 'function' ? change(before) : change) };
      if (await this.#registry.put(kind, queueKey(ref), next, found.rev)) {
        this.#cacheSettings([[queueKey(ref), next]]);
        return this.of(ref);
      }
    }
  }

  /** Forgets the order to free the queue's held lanes, unless a newer one was given. */
  async laneReleaseDone(ref: QueueRef, done: LaneRelease): Promise<void> {
    const found = await this.#registry.get(kind, queueKey(ref));
    if (found === undefined) return;
    const current = found.value as StoredSetting;
    const { laneRelease, ...rest } = current;
    const isSame = laneRelease?.sinceMs === done.sinceMs;
    if (isSame && !(await this.#registry.put(kind, queueKey(ref), rest, found.rev))) return;
    // Another node may have paused or resumed the queue meanwhile.
    this.#cacheSettings([[queueKey(ref), isSame ? rest : current]]);
  }

  /**
   * Calls the listener after each change of the configuration of queues. Returns a function that removes the listener.
   * Thousands of calls and streams may listen, so each must look first whether the change concerns its own queues.
   */
  onChange(listener: (changed: readonly QueueRef[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads a queue's configuration from the registry. Returns false if the queue does not exist. */
  async #find(ref: QueueRef): Promise<boolean> {
    const found = await this.#registry.get(kind, queueKey(ref));
    if (found !== undefined) this.#cacheSettings([[found.key, found.value as StoredSetting]]);
    return found !== undefined;
  }

  #namesOf(tenant: string): readonly string[] {
    return this.ofTenant(tenant).map((setting) => setting.queue);
  }

  /** Returns the queue of the tenant whose name is nearly this one, or undefined if there is none. */
  nearestName({ tenant, queue }: QueueRef): string | undefined {
    return nearest(queue, this.#namesOf(tenant));
  }

  unknownQueue(ref: QueueRef): HoldfastError {
    const names = this.#namesOf(ref.tenant);
    const meant = this.nearestName(ref);
    const others = names.length > 0 ? ` Queues of this tenant: ${names.slice(0, 8).join(', ')}.` : '';
    const hint = meant === undefined ? `Check the name.${others}` : `Did you mean '${meant}'?`;
    const create = `\`${this.#createOnUse ? createCommandFor(ref) : initCommandFor(ref)}\``;
    return new HoldfastError(
      'NOT_FOUND',
      'QUEUE_UNKNOWN',
      `There is no queue '${ref.queue}' for tenant '${ref.tenant}'.`,
      { help: `${hint} To create it: ${create}.` },
    );
  }

  /** Stores configurations of queues in the cache, and notifies the listeners of those that have changed. */
  #cacheSettings(settings: readonly (readonly [key: string, value: StoredSetting])[]): void {
    const changed = settings
      .filter(([key, value]) => this.#cacheSetting(key, value))
      .map(([key]) => refOf(key));
    if (changed.length > 0) for (const listener of this.#listeners) listener(changed);
  }

  /**
   * Stores a queue's configuration in the cache. Returns true if its `paused` or `onDead` has changed. A new queue has changed
   * only if it differs from the initial configuration, with which workers wait for a queue that does not exist yet.
   */
  #cacheSetting(key: string, value: StoredSetting): boolean {
    const { tenant, queue } = refOf(key);
    const before = this.#settings.get(key);
    if (before === undefined) this.#queuesByTenant.set(tenant, (this.#queuesByTenant.get(tenant) ?? 0) + 1);
    const { paused, onDead, pause, priorities, nameForm, laneRelease } = value;
    const optional = {
      ...(paused && pause && { pause }),
      ...(priorities && { priorities }),
      ...(nameForm && { nameForm }),
      ...(laneRelease && { laneRelease }),
    };
    this.#settings.set(key, { tenant, queue, paused, onDead, ...optional });
    const known = before ?? initial;
    return known.paused !== paused || known.onDead !== onDead;
  }

  /** Throws TOO_MANY_QUEUES if use of a new name may create no more queues of this tenant, or none at all. */
  #ensureRoomFor(ref: QueueRef): void {
    if (this.#creating.has(queueKey(ref))) return;
    const creating = [...this.#creating.values()].filter((one) => !this.#settings.has(queueKey(one)));
    const newTenants = new Set(creating.map(({ tenant }) => tenant)).difference(this.#queuesByTenant);
    const isNew = !this.#queuesByTenant.has(ref.tenant) && !newTenants.has(ref.tenant);
    if (isNew && this.#queuesByTenant.size + newTenants.size >= limits.tenants)
      throw storeIsFull(ref, 'tenants');
    if (this.#settings.size + creating.length >= limits.queues) throw storeIsFull(ref, 'queues');
    const known = this.#queuesByTenant.get(ref.tenant) ?? 0;
    if (known + creating.filter(({ tenant }) => tenant === ref.tenant).length >= limits.queuesPerTenant)
      throw tooManyQueues(ref);
  }
}

function refOf(key: string): QueueRef {
  const [tenant = '', queue = ''] = key.split('/');
  return { tenant, queue };
}

/**
 * Returns the `holdfast` command that creates the queue. The table's name in the command is a placeholder, because only the
 * engine knows that name.
 */
function initCommandFor({ tenant, queue }: QueueRef): string {
  return `holdfast aws init --table <name> ${tenantFlag(tenant)}--queue ${queue}`;
}

function createCommandFor({ tenant, queue }: QueueRef): string {
  return `holdfast queues create ${tenantFlag(tenant)}${queue}`;
}

function tenantFlag(tenant: string): string {
  return tenant === 'default' ? '' : `--tenant ${tenant} `;
}

function tooManyQueues({ tenant, queue }: QueueRef): HoldfastError {
  const most = limits.queuesPerTenant.toLocaleString('en');
  const message = `Queue '${queue}' was not created: tenant '${tenant}' already has ${most} queues, the most allowed.`;
  return new HoldfastError('FAILED_PRECONDITION', 'TOO_MANY_QUEUES', message, {
    help: 'Tell tasks apart by ordering keys or tags. Use separate queues only for work that needs separate settings.',
  });
}

function storeIsFull({ tenant, queue }: QueueRef, what: 'tenants' | 'queues'): HoldfastError {
  const message = `Queue '${queue}' of tenant '${tenant}' was not created: this store already has ${limits[what].toLocaleString('en')} ${what}, the most that use may create.`;
  return new HoldfastError('RESOURCE_EXHAUSTED', 'TOO_MANY_QUEUES', message, {
    help: 'Use tenants and queues that exist. The policy file can restrict an identity to the tenants that it needs.',
  });
}
