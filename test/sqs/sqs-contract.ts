import { afterAll, beforeAll, describe, it } from 'vitest';
import type { SqsStandIn } from '../stand-ins/sqs-stand-in.ts';
import { ahead } from './ahead.ts';
import { batches } from './batches.ts';
import { Site } from './broker-on-sqs.ts';
import { deadLetters } from './dead-letters.ts';
import { doublesAndPoison } from './doubles-and-poison.ts';
import { failingLevels } from './failing-levels.ts';
import { failures } from './failures.ts';
import { polling } from './polling.ts';
import { queues } from './queues.ts';
import type { Says } from './says.ts';
import { typesApart } from './types-apart.ts';

const subjects: Readonly<Record<string, (says: Says) => void>> = {
  batches: batches,
  polling: polling,
  'receives ahead': ahead,
  'duplicates and unreadable messages': doublesAndPoison,
  'failures of SQS': failures,
  'failures of one priority': failingLevels,
  'dead letters': deadLetters,
  'workers of different types': typesApart,
  'creating and checking queues': queues,
};

/** Runs the specs of the SQS broker's own behaviour, beyond the contract that every broker fulfils. */
export function brokerOnSqs(name: string, start: () => Promise<SqsStandIn>): void {
  describe(name, () => {
    let standIn: SqsStandIn;
    beforeAll(async () => {
      standIn = await start();
    });
    afterAll(() => standIn.stop());
    for (const [subject, sentences] of Object.entries(subjects)) {
      describe(subject, () => {
        sentences((sentence, shown, enabled) => {
          it(sentence, async () => {
            const site = new Site(standIn, enabled);
            try {
              await shown(site);
            } finally {
              await site.close();
            }
          });
        });
      });
    }
  });
}
