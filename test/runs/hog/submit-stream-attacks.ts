/** Attacks by streams of submissions. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  decodeSubmitStreamResponse,
  encodeSubmitStreamRequest,
} from '../../../src/core/codec/submit-stream.ts';
import { item, specOf } from '../../fixtures/api-node.ts';
import { frame, type RawSession } from '../../fixtures/raw-grpc.ts';
import type { Attack } from './attack.ts';
import { newKey, paths } from './messages.ts';
import { onMessages } from './report-attacks.ts';
import type { Target } from './target.ts';

const connections = 16;
const streamsEach = 8;
/** The batches of each message, and the batches of each stream that wait for their answers. */
const batchesOfMessage = 8;
const batchesEach = 512;
const tasksEach = 10;

/** Keeps many batches without an answer on many streams. */
async function floodStream(target: Target, raw: RawSession): Promise<void> {
  const { stream, status } = raw.call(paths.submitStream);
  const spec = specOf(JSON.stringify('x'.repeat(100)), 'hog');
  let number = 0;
  let unanswered = 0;
  const send = (): void => {
    while (!target.isOver && stream.writable && unanswered + batchesOfMessage <= batchesEach) {
      const batches = Array.from({ length: batchesOfMessage }, (_, i) => {
        const items = Array.from({ length: tasksEach }, () => item(newKey(), { spec }));
        return { batch: ++number, timeoutMs: 0, request: { tenant: '', queue: `hog${i}`, items } };
      });
      unanswered += batchesOfMessage;
      stream.write(frame(encodeSubmitStreamRequest({ kind: 'batches', batches })));
      target.tally.sent(batchesOfMessage * tasksEach);
    }
  };
  onMessages(stream, (message) => {
    const response = decodeSubmitStreamResponse(message);
    if (response.kind !== 'results') return;
    unanswered -= response.results.length;
    target.tally.answered(tasksEach * response.results.length);
    send();
  });
  send();
  await status;
  await sleep(10);
}

export const submitStreamAttacks: readonly Attack[] = [
  {
    name: 'streamed-submissions',
    counts: 'tasks',
    asStranger: undefined,
    asIdentity: { verb: 'submit', measure: 'answered', atLeast: 100 },
    run: (target) =>
      target.atOnce(connections, async () => {
        const raw = await target.session();
        const isOpen = (): boolean => !raw.session.destroyed && !target.isOver;
        const streams = Array.from({ length: streamsEach }, async () => {
          while (isOpen()) await floodStream(target, raw);
        });
        await Promise.all(streams);
      }),
  },
];
