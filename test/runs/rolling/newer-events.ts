/**
 * Tasks to whose histories a build of the future has added an event of a kind, and one with a field, that no build of this
 * run knows.
 */
import { isDeepStrictEqual } from 'node:util';
import { Writer } from '../../../src/core/codec/writer.ts';
import type { Client } from '../../../src/index.ts';
import type { Engine } from '../../../src/ports/engine.ts';
import { chaosTask, plannedWork, queue } from '../chaos/contract.ts';

const kindNumber = 99;
/** The time after which the tasks become ready, so that nobody has claimed one when the event is added. */
const delayMs = 20_000;

export interface NewerEvents {
  readonly ids: readonly string[];
  /** The bytes of the event of each task, by its id. */
  readonly bytes: ReadonlyMap<string, Uint8Array>;
}

/** Submits tasks that become ready later. */
export async function submitLater(client: Client, seed: number, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    const work = { ...plannedWork(seed, 'newer', i), plan: 'well' as const };
    ids.push((await client.submit(chaosTask, work, { queue, delay: delayMs })).id);
  }
  return ids;
}

/** Adds an event of an unknown kind to each task, as a build that knows the kind would. */
export async function addNewerEvents({ store }: Engine, ids: readonly string[]): Promise<NewerEvents> {
  const bytes = new Map<string, Uint8Array>();
  for (const snapshot of await store.read(ids, Date.now())) {
    if (snapshot === undefined) throw new Error('a task of the run is not in the store');
    const { id, head } = snapshot;
    const atMs = Date.now();
    const written = new Writer().number(1, kindNumber).number(2, 1).number(3, atMs).string(77, `of ${id}`);
    const event = { kind: 'unknown', kindNumber, atMs, bytes: Uint8Array.from(written.finish()) } as const;
    const [outcome] = await store.append([
      {
        ...{ kind: 'transition', id, expect: { revision: head.revision }, events: [event] },
        head: { ...head, version: head.version + 1, lastEventAtMs: atMs },
        ...{ result: undefined, rejoinLane: false },
      },
    ]);
    if (outcome?.kind !== 'done') throw new Error(`the event was not written: ${JSON.stringify(outcome)}`);
    bytes.set(id, event.bytes);
  }
  return { ids, bytes };
}

/** Returns a sentence for each task that did not succeed, or whose event is not in its history as it was written. */
export async function newerEventFaults({ store }: Engine, { ids, bytes }: NewerEvents): Promise<string[]> {
  const faults: string[] = [];
  for (const id of ids) {
    const [snapshot] = await store.read([id], Date.now());
    if (snapshot?.head.state !== 'succeeded') faults.push(`${id} is ${snapshot?.head.state ?? 'gone'}`);
    const events = await store.history(id, 0);
    const own = events.filter((event) => event.kind === 'unknown');
    const isKept = own.length === 1 && isDeepStrictEqual(own[0]?.bytes, bytes.get(id));
    if (!isKept || events[1]?.kind !== 'unknown') faults.push(`${id} lost its event of kind ${kindNumber}`);
  }
  return faults;
}
