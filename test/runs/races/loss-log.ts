import type { HoldfastError } from '../../../src/core/errors.ts';
import { type Log, silentLog } from '../../../src/ports/log.ts';
import { reportToParent } from './race.ts';

/** A log that reports each line about a lost claim to the parent process. */
export const lossLog: Log = {
  ...silentLog,
  info({ task_id: taskId = '', winner, err }, message) {
    if (message !== 'a claim was refused: another change of the task was written first') return;
    const { code, reason, cause, message: text } = err as HoldfastError;
    const name = cause instanceof Error ? cause.name : undefined;
    reportToParent({
      kind: 'lost',
      taskId,
      winner: String(winner),
      message: text,
      code,
      reason,
      cause: name,
    });
  },
  warn: (fields, message) => console.error(message, fields),
  error: (fields, message) => console.error(message, fields),
};
