/** The first question: the path of a second submission with the same idempotency key. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, connect, defineTask, HoldfastError, typed } from '../../../../src/index.ts';
import type { Evidence, Question } from '../question.ts';
import { type CalledFunctions, countCalledFunctions } from '../site/called-functions.ts';
import { type EngineName, engineNames, openSite, type Site } from '../site/site.ts';
import { claimOne, failForGood, succeed } from '../site/worker-calls.ts';
import { columnsText, type Observed, observe } from './observe.ts';
import { pathOn } from './path.ts';

const queue = 'letters';
const letter = defineTask('letter', { queue, input: typed<{ readonly to: string }>() });
const ann = { to: 'ann' };
/** The shortest window that a submission may have. */
const windowMs = 60_000;

interface Submitting {
  readonly client: Client;
  readonly site: Site;
  readonly called: CalledFunctions;
}

/** Submits, and returns the answer in words with what reached the store and the broker. */
async function submitted(
  { client, site, called }: Submitting,
  key: string,
  input: { readonly to: string },
  options: { readonly window?: '1m'; readonly delay?: '1h'; readonly whenDead?: 'redrive' } = {},
): Promise<Observed> {
  await called.take();
  return observe(site, { queue, key }, async () => {
    try {
      const task = await client.submit(letter, input, { idempotencyKey: key, ...options });
      const { id, deduplicated, state } = task;
      return { id, text: `${deduplicated ? 'deduplicated' : 'accepted'}, ${state}` };
    } catch (thrown) {
      if (!(thrown instanceof HoldfastError)) throw thrown;
      return { id: thrown.taskId ?? '', text: `${thrown.code} ${thrown.reason}` };
    }
  });
}

async function claim({ site }: Submitting): Promise<Uint8Array> {
  const claimed = await claimOne(site.transport, { queue, type: letter.name, workerName: 'reader' });
  if (claimed === undefined) throw new Error(`${site.engine}: no task could be claimed`);
  return claimed.lease;
}

/** Shows that the second call of a task that nobody has claimed ran through every step of the path. */
async function expectPath(evidence: Evidence, { site, called }: Submitting, second: Observed): Promise<void> {
  const inClient = new Set(await called.take());
  const steps = pathOn(site.engine);
  const missed = steps.filter(({ file, name, isClient }) => {
    return !(isClient ? inClient : second.called).has(`${file} ${name}`);
  });
  for (const { file, name, does } of steps) evidence.see(`${site.engine}:   ${file} ${name}: ${does}`);
  evidence.expect(missed.length === 0, `not called: ${missed.map(({ name }) => name).join(', ')}`);
}

const requests: Readonly<Record<EngineName, Readonly<Record<'unclaimed' | 'claimed', string>>>> = {
  aws: {
    unclaimed: 'PutItem refused, BatchGetItem; SendMessageBatch',
    claimed: 'PutItem refused, BatchGetItem',
  },
  sqlite: { unclaimed: 'no new row', claimed: 'no new row' },
};

async function onEngine(evidence: Evidence, engine: EngineName): Promise<void> {
  const site = await openSite(engine, [queue]);
  const client = connect(site.url, { plaintext: true });
  const called = await countCalledFunctions();
  const submitting: Submitting = { client, site, called };
  const see = (
    what: string,
    observed: Observed,
    expected: readonly [text: string, requests?: string],
  ): void => {
    const [text, reached] = expected;
    evidence.see(columnsText(engine, what, observed));
    evidence.expect(observed.answer === text, `${engine}, ${what}: ${observed.answer} in place of ${text}`);
    if (reached !== undefined)
      evidence.expect(
        observed.reached === reached,
        `${engine}, ${what}: ${observed.reached} in place of ${reached}`,
      );
  };
  const { unclaimed, claimed } = requests[engine];
  try {
    evidence.act(`${engine}: a task of a window of 1 min is submitted, claimed and settled`);
    const short = await submitted(submitting, 'short', ann, { window: '1m' });
    const unfinished = { window: '1m', delay: '1h' } as const;
    const open = await submitted(submitting, 'open', ann, unfinished);
    const windowEndsAtMs = performance.now() + windowMs;
    await succeed(site.transport, await claim(submitting));
    // The first request of each kind opens connections and compiles.
    evidence.act(
      `${engine}: the same submission twice, by the SDK, then again after each change of its task`,
    );
    const first = await submitted(submitting, 'k', ann);
    see('first call', first, ['accepted, ready']);
    const second = await submitted(submitting, 'k', ann);
    see('second call', second, ['deduplicated, ready', unclaimed]);
    await expectPath(evidence, submitting, second);
    evidence.expect(
      second.id === first.id,
      `${engine}: the second call has the id ${second.id}, not ${first.id}`,
    );
    if (engine === 'aws') {
      evidence.seeEqual(
        'aws: deduplication ids of the two messages',
        second.deduplicationIds,
        first.deduplicationIds,
      );
      evidence.seeEqual('aws: messages in the queue after both calls', second.messages, 1);
      evidence.see(`aws: write units that the refused PutItem was charged: ${second.writeUnits}`);
      evidence.expect(second.writeUnits > 0, 'aws: the refused PutItem was charged no unit');
    } else
      evidence.see(
        `sqlite: rows of tasks: ${first.rows} after the first call, ${second.rows} after the second`,
      );
    const other = await submitted(submitting, 'k', { to: 'bob' });
    see('other payload', other, ['ALREADY_EXISTS KEY_REUSED', claimed]);
    const lease = await claim(submitting);
    see('while it runs', await submitted(submitting, 'k', ann), ['deduplicated, running', claimed]);
    await succeed(site.transport, lease);
    see('after its success', await submitted(submitting, 'k', ann), ['deduplicated, succeeded', claimed]);
    await submitted(submitting, 'dead', ann);
    await failForGood(site.transport, await claim(submitting), 'no such street');
    see('of a dead task', await submitted(submitting, 'dead', ann), ['deduplicated, dead', claimed]);
    const redriven = await submitted(submitting, 'dead', ann, { whenDead: 'redrive' });
    see('of a dead task, whenDead: redrive', redriven, ['deduplicated, scheduled']);
    await sleep(Math.max(0, windowEndsAtMs - performance.now() + 1_000));
    const after = await submitted(submitting, 'short', ann, { window: '1m' });
    see('after the window', after, ['accepted, ready']);
    evidence.see(`${engine}: its ids: ${short.id} in the window, ${after.id} after it`);
    const stillOpen = await submitted(submitting, 'open', ann, unfinished);
    see('after it, of an unfinished task', stillOpen, ['deduplicated, scheduled']);
    evidence.expect(
      stillOpen.id === open.id,
      `${engine}: the unfinished task has another id after its window`,
    );
    evidence.expect(short.id !== after.id, `${engine}: the id after the window is the old one`);
  } finally {
    await client.close();
    await site.close();
  }
}

export const repeatedSubmission: Question = {
  number: 1,
  title:
    'A client submits a task and at once submits it again with the same idempotency key: what does the second call do?',
  async answer(evidence) {
    await evidence.together(
      Object.fromEntries(engineNames.map((engine) => [engine, (part) => onEngine(part, engine)])),
    );
  },
};
