import type { HoldfastError } from '../../../src/core/errors.ts';
import { type Log, silentLog } from '../../../src/ports/log.ts';
import { tellParent } from './race.ts';

/** Takes the line of each claim that lost its race to the parent. */
export const lostLog: Log = {
  ...silentLog,
  info({ task_id: taskId = '', winner, err }, message) {
    if (message !== 'a claim lost its race') return;
    const { code, reason, cause, message: said } = err as HoldfastError;
    const name = cause instanceof Error ? cause.name : undefined;
    tellParent({ kind: 'lost', taskId, winner: String(winner), message: said, code, reason, cause: name });
  },
  warn: (fields, message) => console.error(message, fields),
  error: (fields, message) => console.error(message, fields),
};
