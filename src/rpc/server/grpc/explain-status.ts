/**
 * Gives the statuses that grpc-js makes by itself the codes and reasons of Holdfast: it answers a call that it cannot read
 * with INTERNAL, as if the server were at fault, and names no reason with any status.
 */
import type { Metadata } from '@grpc/grpc-js';
import { codeOf } from '../../../core/codec/item-error.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { detailsTrailer, statusOf } from '../status.ts';

/** The status of a call as grpc-js passes it to the sender. */
export interface AnyStatus {
  readonly code: number;
  readonly details: string;
  readonly metadata?: Metadata | null;
}

interface StatusSender {
  sendStatus(status: AnyStatus): void;
}

/** The beginnings of the messages of grpc-js about a call that it cannot read. */
const unreadable = /^(Invalid grpc-timeout|Failed to decompress|Received (no|a second) request)/;

/** Replaces the statuses of grpc-js that a call is about to send. Statuses of Holdfast have details and stay as they are. */
export function explainStatuses(call: StatusSender): void {
  const send = call.sendStatus.bind(call);
  call.sendStatus = (status) => {
    const isOurs = status.code === 0 || (status.metadata?.get(detailsTrailer).length ?? 0) > 0;
    send(isOurs ? status : statusOf(explained(status)));
  };
}

function explained({ code, details }: AnyStatus): HoldfastError {
  if (unreadable.test(details)) {
    return new HoldfastError('INVALID_ARGUMENT', 'BAD_FIELD', `The call is malformed: ${details}.`, {
      help: 'Send one message to a call that takes one, compressed as grpc-encoding says, and a timeout such as 10S.',
    });
  }
  switch (codeOf(code)) {
    case 'DEADLINE_EXCEEDED':
      return new HoldfastError('DEADLINE_EXCEEDED', 'TIMED_OUT', 'The deadline of the call has passed.', {
        help: 'Repeat the call with the same key or request id, and with a longer timeout.',
      });
    case 'CANCELLED':
      return new HoldfastError('CANCELLED', 'ABANDONED', `The call was cancelled: ${details}.`);
    case 'RESOURCE_EXHAUSTED':
      return new HoldfastError('RESOURCE_EXHAUSTED', 'TOO_LARGE', `The message is too large: ${details}.`, {
        help: 'Send fewer items in one call.',
      });
    case 'UNIMPLEMENTED':
      return new HoldfastError('UNIMPLEMENTED', 'NOT_BUILT', `This server cannot do that: ${details}.`, {
        help: 'Compress messages with gzip or deflate, or not at all.',
      });
    default:
      return new HoldfastError('INTERNAL', 'BUG', `The call failed: ${details}.`, {
        help: 'This is a defect of Holdfast. Please report it with the log lines around it.',
      });
  }
}
