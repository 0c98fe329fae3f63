/**
 * A submitter or a worker of one peer, in a process of its own: `side.ts NAME submit|work ADDRESS`. It takes requests from its
 * parent and ends with it.
 */
import type { SideRequest } from './side-process.ts';
import { peerOf } from './systems/all.ts';

const [name = '', role = '', address = '', queue = '', inFlight = ''] = process.argv.slice(2);
const peer = peerOf(name);
const now = (): number => performance.timeOrigin + performance.now();
process.on('disconnect', () => process.exit(0));

const batchItems = 100;

/** Runs `submit` by concurrent callers until this number of tasks is submitted. Returns the duration in seconds. */
async function callersOf(
  tasks: number,
  callers: number,
  items: number,
  submit: () => Promise<unknown>,
): Promise<number> {
  let left = tasks;
  const fromMs = performance.now();
  const caller = async (): Promise<void> => {
    while (left > 0) {
      left -= items;
      await submit();
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (performance.now() - fromMs) / 1_000;
}

if (role === 'submit') {
  const client = await peer.connect(address);
  process.on('message', async (request: SideRequest) => {
    const { queue: to, tasks, callers, how } = request;
    const sentMs = now();
    try {
      const seconds =
        how === 'singly'
          ? await callersOf(tasks, callers, 1, () => client.submit(to))
          : await callersOf(tasks, callers, batchItems, () => client.submitBatch(to, batchItems));
      process.send?.({ seconds, sentMs });
    } catch (thrown) {
      process.send?.({ error: String(thrown) });
    }
  });
  process.send?.({ ready: true });
} else {
  let settled = 0;
  let began = 0;
  let isDue = false;
  // One message for each turn of the event loop, so that reports cost the worker next to nothing.
  const report = (): void => {
    if (isDue) return;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      process.send?.({ settled });
    });
  };
  const events = {
    began() {
      if (began++ < 1 || process.env.REPORT_EACH === 'true') process.send?.({ beganMs: now() });
    },
    settled(count: number) {
      settled += count;
      report();
    },
  };
  await peer.work(address, queue, events, inFlight === '' ? undefined : Number(inFlight));
  process.send?.({ ready: true });
}
