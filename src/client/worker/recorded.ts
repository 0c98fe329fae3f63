import { peekSpec } from '../../core/codec/spec.ts';
import type { Assignment, SettleResult } from '../../core/messages.ts';
import { errorOf } from '../backoff.ts';
import type { WorkerSpec } from '../handler.ts';
import type { Logger } from '../log.ts';
import { logFields } from './attempt.ts';
import type { AttemptOutcome } from './outcome.ts';

/** What the server's word on an outcome means to the user: a line where it was refused, `onDead` where it was the end. */
export function tellRecorded(
  { onDead }: Pick<WorkerSpec, 'onDead'>,
  log: Logger,
  assignment: Assignment,
  outcome: AttemptOutcome,
  result: SettleResult,
): void {
  if (result.error !== undefined) {
    const err = errorOf(result.error);
    log.warn({ ...logFields(assignment), err, outcome: outcome.outcome }, "an attempt's outcome was refused");
    return;
  }
  if (result.state !== 'dead' || onDead === undefined) return;
  const { id, queue, attempt, spec } = assignment;
  const { message, errorType } = outcome;
  const told = async (): Promise<void> =>
    onDead({ id, type: peekSpec(spec).type, queue, attempt, message, errorType });
  told().catch((err: unknown) => log.error({ ...logFields(assignment), err }, 'onDead failed'));
}
