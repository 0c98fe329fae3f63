/** What an attempt came to, as a settlement says it. */
import { encodePayload } from '../../core/codec/payload.ts';
import { limits } from '../../core/limits.ts';
import type { OutcomeKind } from '../../core/messages.ts';
import { toPayload } from '../contract/json.ts';
import type { Task } from '../contract/task.ts';
import { check, tell } from '../contract/validate.ts';
import { durationMs } from '../duration.ts';
import { AttemptAborted, verdictOf } from '../errors.ts';
import { ContractMismatch } from './input.ts';

export interface AttemptOutcome {
  readonly outcome: OutcomeKind;
  readonly result: Uint8Array | undefined;
  readonly message: string;
  readonly errorType: string;
  readonly afterMs: number | undefined;
}

const blank: AttemptOutcome = {
  outcome: 'succeeded',
  result: undefined,
  message: '',
  errorType: '',
  afterMs: undefined,
};

export const succeededWithout: AttemptOutcome = Object.freeze({ ...blank });
export const released: AttemptOutcome = Object.freeze({ ...blank, outcome: 'released' });

/** The handler returned what its contract does not say, or what JSON cannot carry. */
class BadResult extends Error {
  override readonly name: string = 'BadResult';
}

/** The result goes out as the handler gave it; its schema is applied by whoever reads it. Throws where it does not fit. */
export function resultOf(task: Task, value: unknown): AttemptOutcome | Promise<AttemptOutcome> {
  if (task.output === undefined) return succeededWithout;
  const checked = check(task.output, value);
  const pack = (result: Awaited<typeof checked>): AttemptOutcome => {
    if (!result.ok) {
      const told = tell(result.violations);
      throw new BadResult(
        `The handler of '${task.name}' returned what its contract's output does not allow: ${told}`,
      );
    }
    const payload = toPayload(value, `What the handler of '${task.name}' returned`, limits.resultBytes);
    return { ...blank, result: payload.contentType === '' ? undefined : encodePayload(payload) };
  };
  return checked instanceof Promise ? checked.then(pack) : pack(checked);
}

interface Told {
  readonly message: string;
  readonly errorType: string;
}

/** Whatever was thrown, in words. */
export function tellThrown(thrown: unknown): Told {
  if (thrown instanceof Error) {
    return { message: thrown.message || thrown.name, errorType: thrown.name };
  }
  if (thrown === undefined || thrown === null)
    return { message: `The handler threw ${thrown}.`, errorType: String(thrown) };
  return { message: `The handler threw a ${typeof thrown}: ${stringOf(thrown)}`, errorType: typeof thrown };
}

function stringOf(thrown: unknown): string {
  try {
    return typeof thrown === 'object' ? JSON.stringify(thrown) : String(thrown);
  } catch {
    return 'one that has no text';
  }
}

/** The contract's own backoff, where it is a function and does not fail itself. */
function backoffOf(task: Task, attempt: number, thrown: unknown): number | undefined {
  const { backoff } = task.contract;
  if (backoff === undefined) return undefined;
  try {
    return Math.min(durationMs(backoff(attempt, thrown), 'backoff'), limits.backoffMaxMs);
  } catch {
    return undefined;
  }
}

export function outcomeOfThrown(task: Task, attempt: number, thrown: unknown): AttemptOutcome {
  const told = tellThrown(thrown);
  const said = verdictOf(thrown);
  if (said?.kind === 'snooze') return { ...blank, outcome: 'snoozed', afterMs: Math.max(1, said.afterMs) };
  if (said?.kind === 'retryAfter') return { ...blank, ...told, outcome: 'failed', afterMs: said.afterMs };
  if (said?.kind === 'fatal' || thrown instanceof ContractMismatch)
    return { ...blank, ...told, outcome: 'fatal' };
  return { ...blank, ...told, outcome: 'failed', afterMs: backoffOf(task, attempt, thrown) };
}

/** The attempt was asked to stop and then threw; undefined: nothing is to be said. */
export function outcomeOfAbort(reason: AttemptAborted, thrown: unknown): AttemptOutcome | undefined {
  switch (reason.kind) {
    case 'lease-lost':
      return undefined;
    case 'timeout':
      return timedOut(reason);
    case 'shutdown':
      return released;
    case 'cancelled': {
      const told =
        thrown instanceof AttemptAborted ? { message: reason.message, errorType: '' } : tellThrown(thrown);
      return { ...blank, ...told, outcome: 'cancelled' };
    }
  }
}

export function timedOut(reason: AttemptAborted): AttemptOutcome {
  return { ...blank, outcome: 'failed', message: reason.message, errorType: 'TimeoutError' };
}
