/** Attacks by streams of submissions. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  decodeSubmitStreamResponse,
  encodeSubmitStreamRequest,
} from '../../../src/core/codec/submit-stream.ts';
import { Writer } from '../../../src/core/codec/writer.ts';
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
/** The same for padded messages, of which a client can send fewer. */
const paddedEach = 32;
const tasksEach = 10;

/** A field that the server does not know. Its bytes stay in memory with the message, whose specs are views. */
const unknownBytes = 100_000;
const unknownField = new Writer().message(15, new Uint8Array(unknownBytes)).finish();

/** Keeps many batches without an answer on many streams. Each message also has the bytes `padding`. */
async function floodStream(target: Target, raw: RawSession, padding: Uint8Array): Promise<void> {
  const most = padding.length > 0 ? paddedEach : batchesEach;
  const { stream, status } = raw.call(paths.submitStream);
  const spec = specOf(JSON.stringify('x'.repeat(100)), 'hog');
  let number = 0;
  let unanswered = 0;
  const send = (): void => {
    while (!target.isOver && stream.writable && unanswered + batchesOfMessage <= most) {
      const batches = Array.from({ length: batchesOfMessage }, (_, i) => {
        const items = Array.from({ length: tasksEach }, () => item(newKey(), { spec }));
        return { batch: ++number, timeoutMs: 0, request: { tenant: '', queue: `hog${i}`, items } };
      });
      unanswered += batchesOfMessage;
      stream.write(frame(Buffer.concat([encodeSubmitStreamRequest({ kind: 'batches', batches }), padding])));
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

function flood(name: string, padding: Uint8Array): Attack {
  return {
    name,
    counts: 'tasks',
    asStranger: undefined,
    asIdentity: { verb: 'submit', measure: 'answered', atLeast: 100 },
    run: (target) =>
      target.atOnce(connections, async () => {
        const raw = await target.session();
        const isOpen = (): boolean => !raw.session.destroyed && !target.isOver;
        const streams = Array.from({ length: streamsEach }, async () => {
          while (isOpen()) await floodStream(target, raw, padding);
        });
        await Promise.all(streams);
      }),
  };
}

export const submitStreamAttacks: readonly Attack[] = [
  flood('streamed-submissions', new Uint8Array()),
  flood('padded-submissions', unknownField),
];
