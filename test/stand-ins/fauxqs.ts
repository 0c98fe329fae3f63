import { Worker } from 'node:worker_threads';
import { TimeInMemory } from './shared-time.ts';
import { SqsFront } from './sqs-front.ts';
import type { SqsStandIn } from './sqs-stand-in.ts';

/**
 * fauxqs on that port of the loopback (0: any free one), with the adapter that it needs: it accepts stale receipt handles, which AWS
 * refuses. What else differs from AWS: one message of a group per receive, ReceiveRequestAttemptId and
 * DeduplicationScope ignored.
 */
export async function startFauxqs(asked = 0): Promise<SqsStandIn> {
  const time = new TimeInMemory();
  let nowMs = 0;
  const thread = new Worker(new URL('./fauxqs-thread.ts', import.meta.url), {
    workerData: { time: time.buffer },
  });
  const port = await new Promise<number>((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
  });
  const front = await SqsFront.open(`http://127.0.0.1:${port}`, () => nowMs || Date.now(), asked);
  return {
    endpoint: front.endpoint,
    front,
    setTime(ms) {
      nowMs = ms;
      time.set(ms);
    },
    async stop() {
      await front.close();
      await thread.terminate();
    },
  };
}
