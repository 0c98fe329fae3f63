import { Reader } from '../../../../core/codec/reader.ts';
import { Writer } from '../../../../core/codec/writer.ts';
import { deadReasons } from '../../../../core/task/event.ts';
import type { Head, Progress, StoredState } from '../../../../core/task/head.ts';

/** The letter that stands for each task state in the DynamoDB table. */
const letters: Readonly<Record<StoredState, string>> = {
  waiting: 'w',
  running: 'r',
  succeeded: 's',
  dead: 'd',
  cancelled: 'c',
};
const states: Readonly<Record<string, StoredState>> = {
  w: 'waiting',
  r: 'running',
  s: 'succeeded',
  d: 'dead',
  c: 'cancelled',
};

const flags = { inLane: 1, handOver: 2, holdsLane: 4, cancelRequested: 8, retrying: 16 } as const;

const writer = new Writer();

/** Writes a time field even if the time is zero, because an absent field means that the task has no such time. */
function time(field: number, ms: number | undefined): void {
  if (ms !== undefined) writer.varint(field * 8).varint(ms);
}

function flagsOf(head: Head): number {
  return (
    (head.inLane ? flags.inLane : 0) |
    (head.handOver ? flags.handOver : 0) |
    (head.holdsLane ? flags.holdsLane : 0) |
    (head.cancelRequested ? flags.cancelRequested : 0) |
    (head.retrying ? flags.retrying : 0)
  );
}

/**
 * Encodes the fields of a task's head that no condition and no heartbeat uses, as one value in the wire format of
 * protobuf.
 */
export function encodeRest(head: Head): Uint8Array {
  writer.reset().number(1, head.attempt).number(2, head.releases);
  time(3, head.waitUntilMs);
  time(4, head.deadlineAtMs);
  time(5, head.lifetimeEndAtMs);
  writer.number(6, flagsOf(head));
  time(7, head.timeoutAtMs);
  writer.words(8, head.worker);
  time(9, head.endedAtMs);
  if (head.deadReason !== undefined) writer.number(10, deadReasons.indexOf(head.deadReason));
  return writer.words(11, head.lastError).number(12, head.losses).string(13, head.leaseSecret).finish();
}

type RestOfHead = Omit<
  Head,
  'state' | 'revision' | 'version' | 'lastEventAtMs' | 'fencingToken' | 'leaseEndAtMs' | 'begun' | 'progress'
>;

export function decodeRest(bytes: Uint8Array): RestOfHead {
  const read: { -readonly [K in keyof RestOfHead]: RestOfHead[K] } = {
    attempt: 0,
    releases: 0,
    losses: 0,
    leaseSecret: '',
    waitUntilMs: undefined,
    deadlineAtMs: undefined,
    lifetimeEndAtMs: undefined,
    inLane: false,
    handOver: false,
    holdsLane: false,
    timeoutAtMs: undefined,
    worker: '',
    cancelRequested: false,
    retrying: false,
    endedAtMs: undefined,
    deadReason: undefined,
    lastError: '',
  };
  const reader = new Reader(bytes);
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) read.attempt = reader.number();
    else if (field === 2) read.releases = reader.number();
    else if (field === 3) read.waitUntilMs = reader.number();
    else if (field === 4) read.deadlineAtMs = reader.number();
    else if (field === 5) read.lifetimeEndAtMs = reader.number();
    else if (field === 6) {
      const number = reader.number();
      for (const name of Object.keys(flags) as (keyof typeof flags)[])
        read[name] = (number & flags[name]) !== 0;
    } else if (field === 7) read.timeoutAtMs = reader.number();
    else if (field === 8) read.worker = reader.string();
    else if (field === 9) read.endedAtMs = reader.number();
    else if (field === 10) read.deadReason = deadReasons[reader.number()];
    else if (field === 11) read.lastError = reader.string();
    else if (field === 12) read.losses = reader.number();
    else if (field === 13) read.leaseSecret = reader.string();
    else reader.skip();
  }
  return read;
}

export function letterOf(state: StoredState): string {
  return letters[state];
}

export function stateOf(letter: string | undefined): StoredState {
  const state = states[letter ?? ''];
  if (state === undefined) throw new RangeError(`a head has the unknown state '${letter}'`);
  return state;
}

export function progressText(progress: Progress): string {
  return JSON.stringify([progress.fraction, progress.note]);
}

export function progressOf(text: string | undefined): Progress | undefined {
  if (text === undefined) return undefined;
  const [fraction, note] = JSON.parse(text) as [number, string];
  return { fraction, note };
}
