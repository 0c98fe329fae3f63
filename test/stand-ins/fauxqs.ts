import { Worker } from 'node:worker_threads';
import { TimeInMemory } from './shared-time.ts';
import { SqsFront } from './sqs-front.ts';
import type { SqsStandIn } from './sqs-stand-in.ts';

/**
 * Starts fauxqs, a stand-in for SQS, behind a proxy on this port of 127.0.0.1; 0 chooses a free port. The proxy
 * refuses stale receipt handles as AWS does; fauxqs alone accepts them. Other differences from AWS remain: fauxqs
 * returns one message of a group per receive, and ignores ReceiveRequestAttemptId and DeduplicationScope.
 */
export async function startFauxqs(requestedPort = 0): Promise<SqsStandIn> {
  const time = new TimeInMemory();
  let nowMs = 0;
  const thread = new Worker(new URL('./fauxqs-thread.ts', import.meta.url), {
    workerData: { time: time.buffer },
  });
  const port = await new Promise<number>((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
  });
  const front = await SqsFront.open(`http://127.0.0.1:${port}`, () => nowMs || Date.now(), requestedPort);
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
