/**
 * The designs that were considered, computed and not run: by the rules that AWS bills by, over the sizes that this
 * engine's items have. Each is one happy life at full batches, without the reconciler's looks.
 */
import type { Units } from './prices.ts';
import type { Stored } from './storage.ts';

interface Write {
  /** Of the item, or of the larger of before and after. */
  readonly bytes: number;
  /** Entries of indexes that it writes. */
  readonly indexes?: number;
}

/** Written alone, or with others all or none. */
type Step = Write | readonly Write[];

export interface Design {
  readonly name: string;
  readonly steps: readonly Step[];
  /** Items of which each is read once, with the bytes that are read. */
  readonly reads: readonly number[];
}

const writeUnitBytes = 1_024;
const readUnitBytes = 4_096;
/** Sends, receives and deletes by ten. */
const sqsCalls = 0.3;

function writeUnits(step: Step): { all: number; index: number } {
  const writes = 'bytes' in step ? [step] : step;
  const doubled = 'bytes' in step ? 1 : 2;
  const index = writes.reduce((sum, { indexes = 0 }) => sum + indexes, 0);
  const table = writes.reduce((sum, { bytes }) => sum + Math.max(1, Math.ceil(bytes / writeUnitBytes)), 0);
  return { all: doubled * table + index, index };
}

export function unitsOf({ steps, reads }: Design): Units {
  const units = steps.map(writeUnits);
  return {
    writes: units.reduce((sum, { all }) => sum + all, 0),
    indexWrites: units.reduce((sum, { index }) => sum + index, 0),
    refusedWrites: 0,
    // By reads that may lag, as ours are.
    reads: reads.reduce((sum, bytes) => sum + Math.max(1, Math.ceil(bytes / readUnitBytes)) / 2, 0),
    sqsCalls,
  };
}

/** Of an item that holds an event, an outbox message or an idempotency key, with its keys. */
const smallBytes = 200;

export function designs({ submissionBytes, headBytes }: Stored): readonly Design[] {
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
        // The first event holds the payload.
        [{ bytes: submissionBytes }, { bytes: headBytes, indexes: 1 }, event, { bytes: smallBytes }],
        // The outbox message is sent, then deleted.
        { bytes: smallBytes },
        [head, event],
        [head, event],
      ],
      reads: [smallBytes, submissionBytes, headBytes],
    },
  ];
}
