/**
 * Computes the cost of the table designs that were considered. They are not run: the consumption follows from the item
 * sizes of this engine and AWS's billing rules. Each cost is that of one task that succeeds at its first attempt, in
 * full batches, without the reads of the reconciler.
 */
import type { Units } from './prices.ts';
import type { StorageCost } from './storage.ts';

interface Write {
  /** The size of the written item in bytes; for an update, the larger of the sizes before and after it. */
  readonly bytes: number;
  /** The number of index entries that the write changes. */
  readonly indexes?: number;
}

/** A single write, or the writes of one transaction. */
type Step = Write | readonly Write[];

/** A table design, by the writes and reads of one task. */
export interface Design {
  readonly name: string;
  readonly steps: readonly Step[];
  /** The sizes in bytes of the items that are read, each once. */
  readonly reads: readonly number[];
}

const writeUnitBytes = 1_024;
const readUnitBytes = 4_096;
/** The SQS calls per task: one send, one receive and one delete, each in batches of ten. */
const sqsCalls = 0.3;

function writeUnits(step: Step): { all: number; index: number } {
  const writes = 'bytes' in step ? [step] : step;
  const doubled = 'bytes' in step ? 1 : 2;
  const index = writes.reduce((sum, { indexes = 0 }) => sum + indexes, 0);
  const table = writes.reduce((sum, { bytes }) => sum + Math.max(1, Math.ceil(bytes / writeUnitBytes)), 0);
  return { all: doubled * table + index, index };
}

/** Returns the consumption of one task in a table design. */
export function unitsOf({ steps, reads }: Design): Units {
  const units = steps.map(writeUnits);
  return {
    writes: units.reduce((sum, { all }) => sum + all, 0),
    indexWrites: units.reduce((sum, { index }) => sum + index, 0),
    refusedWrites: 0,
    // Eventually consistent reads, as this engine makes them, cost half a unit.
    reads: reads.reduce((sum, bytes) => sum + Math.max(1, Math.ceil(bytes / readUnitBytes)) / 2, 0),
    sqsCalls,
  };
}

/** The size in bytes of an item that holds an event, an outbox message or an idempotency key. */
const smallBytes = 200;

/** Returns the table designs that were considered, for these item sizes. */
export function designs({ submissionBytes, headBytes }: StorageCost): readonly Design[] {
  const whole = submissionBytes + headBytes;
  const head = { bytes: headBytes };
  const event = { bytes: smallBytes };
  return [
    {
      name: 'this one: submission once, head born at the claim, tip in the head',
      steps: [{ bytes: submissionBytes, indexes: 1 }, head, head],
      reads: [submissionBytes],
    },
    {
      name: 'payload in the head: one item a task',
      steps: [{ bytes: whole, indexes: 1 }, { bytes: whole }, { bytes: whole }],
      reads: [whole],
    },
    {
      name: 'payload in the head, its list entry showing the state',
      steps: [
        { bytes: whole, indexes: 1 },
        { bytes: whole, indexes: 1 },
        { bytes: whole, indexes: 1 },
      ],
      reads: [whole],
    },
    {
      name: 'event items, head, outbox, idempotency item',
      steps: [
        // The first item is the event of the submission, which contains the payload.
        [{ bytes: submissionBytes }, { bytes: headBytes, indexes: 1 }, event, { bytes: smallBytes }],
        // The outbox message is deleted after it was sent.
        { bytes: smallBytes },
        [head, event],
        [head, event],
      ],
      reads: [smallBytes, submissionBytes, headBytes],
    },
  ];
}
