import { peekSpec } from '../../core/codec/spec.ts';
import type { Assignment, SettleResult } from '../../core/messages.ts';
import { errorOf } from '../backoff.ts';
import type { WorkerSpec } from '../contract/handler.ts';
import type { Logger } from '../log.ts';
import { logFields } from './attempt.ts';
import { tellDead } from './failure-log.ts';
import type { AttemptOutcome } from './outcome.ts';

/** What the server's word on an outcome means to the user: a line where it was refused; a line and `onDead` where it was the end. */
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
  if (result.state !== 'dead') return;
  const { id, queue, attempt, spec } = assignment;
  const { message, errorType } = outcome;
  const { type } = peekSpec(spec);
  tellDead(log, assignment, type, outcome);
  if (onDead === undefined) return;
  const told = async (): Promise<void> => onDead({ id, type, queue, attempt, message, errorType });
  told().catch((err: unknown) => log.error({ ...logFields(assignment), err }, 'onDead failed'));
}
