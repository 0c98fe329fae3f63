/** What `show --verify` says of a history. */
import { HoldfastError } from '../../core/errors.ts';
import { HistoryFault, type VerifyTaskHistoryResponse } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';

type Verified = Pick<VerifyTaskHistoryResponse, 'events' | 'fault' | 'faultAt'>;

export function wholeText({ events }: Verified): string {
  return `whole, ${events} event${events === 1 ? '' : 's'}`;
}

function faultText({ events, fault, faultAt }: Verified): string {
  const event = `event ${faultAt} of ${events}`;
  switch (fault) {
    case HistoryFault.CHANGED:
      return `${event} was changed, or what followed it was ${faultAt < events ? 'replaced' : 'cut off'}`;
    case HistoryFault.MISSING:
      return `${event} is missing`;
    case HistoryFault.UNCOUNTED:
      return `event ${faultAt} is there, but the task counts ${events}: its head was set back or removed`;
    default:
      return `${event} is not as it was written`;
  }
}

/** Undefined: the history is whole. DATA_LOSS, so that a script never takes it for success. */
export function tampered(taskId: string, verified: Verified): HoldfastError | undefined {
  if (verified.fault === HistoryFault.UNSPECIFIED) return undefined;
  const description = faultText(verified);
  return new HoldfastError(
    'DATA_LOSS',
    'STORE_CORRUPT',
    `The history is not what was written: ${description}.`,
    {
      taskId,
      violations: [{ field: `event ${verified.faultAt}`, description }],
      help: 'What stands before it is as it was written. Find out who else may write the table; a backup has the rest.',
    },
  );
}
