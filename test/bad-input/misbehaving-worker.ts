/** A worker whose handlers misbehave: they exit the process, hang, block it or throw. It runs in a separate process. */
import { setTimeout as sleep } from 'node:timers/promises';
import { defineTask, defineWorker, handle, typed } from '../../src/index.ts';

export type Misbehaviour =
  | 'end'
  | 'exit'
  | 'exit at once'
  | 'throw later'
  | 'reject later'
  | 'throw undefined'
  | 'hang'
  | 'block';

const contract = {
  input: typed<{ deed: Misbehaviour }>(),
  output: typed<{ by: string }>(),
  queue: 'odd',
  timeout: '10m',
} as const;
export const odd = defineTask('odd', {
  ...contract,
  retry: { maxAttempts: 2, backoff: { base: '10ms', max: '20ms' } },
});
export const oddOnce = defineTask('odd-once', { ...contract, retry: { maxAttempts: 1 } });

const forEver = (): Promise<never> => new Promise(() => {});

const misbehaviours: Readonly<Record<Misbehaviour, () => unknown>> = {
  end() {},
  'exit at once': () => process.exit(3),
  async exit() {
    await sleep(200);
    process.exit(3);
  },
  async 'throw later'() {
    setTimeout(() => {
      throw new Error('thrown where nobody catches');
    }, 200);
    return forEver();
  },
  async 'reject later'() {
    await sleep(200);
    void Promise.reject(new Error('rejected where nobody waits'));
    return forEver();
  },
  'throw undefined'() {
    throw undefined;
  },
  hang: forEver,
  block() {
    for (;;);
  },
};

async function run({ deed }: { readonly deed: Misbehaviour }): Promise<{ by: string }> {
  await misbehaviours[deed]();
  return { by: 'the odd worker' };
}

export default defineWorker({
  concurrency: 8,
  handlers: [handle(odd, run, { timeout: '5s' }), handle(oddOnce, run, { timeout: '500ms' })],
});
