/** The form of a case, and what several cases assert or inject. */
import assert from 'node:assert/strict';
import type { Deployments } from '../../../../../src/cli/deploy/port.ts';
import { tags, type World } from '../world.ts';

export type NamedRun = readonly [name: string, run: (world: World) => Promise<void>];

export const [first, second, third] = tags;

/** The state in which a rollback from the second tag to the first one ends, whatever happened on the way. */
export async function assertRolledBack(
  world: World,
  from: string = second,
  to: string = first,
): Promise<void> {
  const { tag, parameter: next, rolledBack, steady } = await world.status();
  assert.deepEqual(
    { tag, next, rolledBack, steady },
    {
      ...{ tag: to, next: to, steady: true },
      rolledBack: { from, to, direction: 'back' },
    },
  );
}

export async function assertUnchanged(world: World): Promise<void> {
  const { tag, parameter: next, rolledBack, steady } = await world.status();
  assert.deepEqual(
    { tag, next, rolledBack, steady },
    {
      ...{ tag: second, next: second, rolledBack: undefined, steady: true },
    },
  );
}

export function refused(code: string, reason: string, message: RegExp) {
  return (thrown: unknown): boolean => {
    const {
      code: foundCode,
      reason: foundReason,
      message: text = '',
      help,
    } = thrown as Record<string, string>;
    assert.deepEqual([foundCode, foundReason], [code, reason], text);
    assert.match(text, message);
    assert.ok(help, 'the error has no help');
    return true;
  };
}

const writes: ReadonlySet<string> = new Set([
  'writeTag',
  'writeRecord',
  'deleteRecord',
  'stopRollout',
  'register',
  'update',
]);

export class Killed extends Error {}

/** Returns a port that ends the run after so many writes, as a process that is killed. */
export function killedAfter(port: Deployments, count: number): Deployments {
  let left = count;
  return new Proxy(port, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function' || !writes.has(String(name))) return value;
      return async (...args: unknown[]) => {
        if (left-- <= 0) throw new Killed();
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
}

/** Returns a port that runs something after the update of the service. */
export function afterUpdate(port: Deployments, run: () => Promise<void>): Deployments {
  return {
    ...port,
    async update(...args) {
      await port.update(...args);
      await run();
    },
  };
}
