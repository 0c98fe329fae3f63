/**
 * The path of a repeated submission: its steps in their order, each with file and function. The review shows that the second call
 * runs through each of them, and docs/review.md lists the same.
 */
import type { EngineName } from '../site/site.ts';

export interface PathStep {
  readonly file: string;
  readonly name: string;
  readonly does: string;
  /** The engine whose path it is on. Default: both. */
  readonly engine?: EngineName;
  /** True if the step is the caller's. */
  readonly isClient?: true;
  /** True if the step is left out as soon as a worker has claimed the task. */
  readonly onlyUnclaimed?: true;
}

const awsWrite = 'src/engines/aws/table/write';
const inService = 'src/service/submit/submit.ts';

export const submissionPath: readonly PathStep[] = [
  {
    file: 'src/client/submit/submitter.ts',
    name: '#send',
    does: 'sends the batch of this turn of the event loop as one SubmitTasks call on the stream of submissions',
    isClient: true,
  },
  {
    file: 'src/rpc/api/streams/submit-stream.ts',
    name: 'take',
    does: 'takes the batch with the identity of the stream and a deadline of its own, at its turn',
  },
  {
    file: 'src/rpc/api/submit.ts',
    name: 'submit',
    does: 'validates each item, and checks that the caller may submit to the queue',
  },
  {
    file: inService,
    name: 'submitAdmitted',
    does: 'makes a submission with a new time of acceptance, as for a first call',
  },
  {
    file: `${awsWrite}/accept.ts`,
    name: 'acceptReadyTask',
    does: 'writes the submission by one PutItem on the condition that the key has no item',
    engine: 'aws',
  },
  {
    file: `${awsWrite}/accept-transaction.ts`,
    name: 'resolveTakenKey',
    does: 'finds the task that holds the key, from the item that came with the refusal',
    engine: 'aws',
  },
  {
    file: 'src/engines/aws/table/read/snapshots.ts',
    name: 'loadNewest',
    does: 'reads the head of this task',
    engine: 'aws',
  },
  {
    file: 'src/engines/sqlite/group-commit.ts',
    name: 'accept',
    does: 'puts the submission into the next commit batch',
    engine: 'sqlite',
  },
  {
    file: 'src/engines/sqlite/accept.ts',
    name: 'insertTask',
    does: 'inserts the row, which the unique index on the key refuses',
    engine: 'sqlite',
  },
  {
    file: 'src/engines/sqlite/snapshots.ts',
    name: 'snapshotOfKey',
    does: 'reads the task that holds the key, in the same transaction',
    engine: 'sqlite',
  },
  {
    file: 'src/core/submission/key.ts',
    name: 'isKeyFree',
    does: 'decides that the key is still taken: the task has not ended, or the window is not over',
  },
  {
    file: inService,
    name: 'answerDuplicate',
    does: 'decides the answer',
  },
  {
    file: 'src/core/submission/sameness.ts',
    name: 'sameSpec',
    does: 'compares type, ordering key and payload with those of the first call',
  },
  {
    file: inService,
    name: 'dispatchAccepted',
    does: 'sends the dispatch message again if nobody has claimed the task yet, since the first caller may have ended before it did; nothing on SQLite',
    onlyUnclaimed: true,
  },
  {
    file: 'src/engines/aws/broker/sqs/calls.ts',
    name: 'send',
    does: 'sends it to SQS with the same deduplication id, if it is sent',
    engine: 'aws',
    onlyUnclaimed: true,
  },
  {
    file: inService,
    name: 'resultOf',
    does: 'answers with the id, the state and the version of the task, and `deduplicated`',
  },
];

export function pathOn(engine: EngineName): readonly PathStep[] {
  return submissionPath.filter((step) => step.engine === undefined || step.engine === engine);
}
