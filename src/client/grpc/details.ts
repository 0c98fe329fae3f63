/** Decodes the google.rpc error details of a failed call. */
import { fromBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { codeOf, reasonOf } from '../../core/codec/item-error.ts';
import { type ErrorDetails, HoldfastError, type Violation } from '../../core/errors.ts';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  HelpSchema,
  RetryInfoSchema,
} from '../../rpc/gen/google/rpc/error_details_pb.ts';
import { type Status, StatusSchema } from '../../rpc/gen/google/rpc/status_pb.ts';
import type { Metadata } from './library/grpc-js.ts';

/** Returns the server's error from the metadata of a failed call; undefined if no Holdfast server sent the answer. */
export function errorInDetails(metadata: Metadata): HoldfastError | undefined {
  const [bytes] = metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(bytes)) return undefined;
  let status: Status;
  try {
    status = fromBinary(StatusSchema, bytes);
  } catch {
    return undefined;
  }
  let reason: string | undefined;
  const found: { -readonly [K in keyof ErrorDetails]: ErrorDetails[K] } = {};
  for (const any of status.details) {
    const info = anyUnpack(any, ErrorInfoSchema);
    if (info !== undefined) {
      reason = info.reason;
      found.taskId = info.metadata.task_id;
    }
    const delay = anyUnpack(any, RetryInfoSchema)?.retryDelay;
    if (delay !== undefined) found.retryAfterMs = Number(delay.seconds) * 1_000 + delay.nanos / 1_000_000;
    const help = anyUnpack(any, HelpSchema)?.links[0]?.description;
    if (help !== undefined) found.help = help;
    const violations = anyUnpack(any, BadRequestSchema)?.fieldViolations;
    if (violations !== undefined) found.violations = violations.map(violationOf);
  }
  if (reason === undefined) return undefined;
  return new HoldfastError(codeOf(status.code), reasonOf(reason), status.message, found);
}

function violationOf({ field, description }: { field: string; description: string }): Violation {
  return { field, description };
}
