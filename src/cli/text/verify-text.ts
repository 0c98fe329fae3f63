/** Texts and errors for the result of `show --verify`. */
import { HoldfastError } from '../../core/errors.ts';
import { HistoryFault, type VerifyTaskHistoryResponse } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';

type VerifyResult = Pick<VerifyTaskHistoryResponse, 'events' | 'fault' | 'faultVersion'>;

export function wholeText({ events }: VerifyResult): string {
  return `whole, ${events} event${events === 1 ? '' : 's'}`;
}

function faultText({ events, fault, faultVersion }: VerifyResult): string {
  const event = `event ${faultVersion} of ${events}`;
  switch (fault) {
    case HistoryFault.CHANGED:
      return `${event} was changed, or what followed it was ${faultVersion < events ? 'replaced' : 'cut off'}`;
    case HistoryFault.MISSING:
      return `${event} is missing`;
    case HistoryFault.UNCOUNTED:
      return `event ${faultVersion} exists, but the task counts ${events} events: its head was set back or removed`;
    default:
      return `${event} differs from the one that was written`;
  }
}

/**
 * Returns an error if the history of a task was changed, so that a script does not take the result for a success.
 * Returns undefined if the history is whole.
 */
export function tamperError(taskId: string, verified: VerifyResult): HoldfastError | undefined {
  if (verified.fault === HistoryFault.UNSPECIFIED) return undefined;
  const description = faultText(verified);
  return new HoldfastError(
    'DATA_LOSS',
    'STORE_CORRUPT',
    `The history differs from the one that was written: ${description}.`,
    {
      taskId,
      violations: [{ field: `event ${verified.faultVersion}`, description }],
      help: 'The events before that one are as they were written. Find out who else may write to the table, and restore the rest from a backup.',
    },
  );
}
