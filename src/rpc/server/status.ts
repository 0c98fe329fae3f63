/**
 * Encodes a HoldfastError as google.rpc.Status, which clients in any language can decode. The status has no stack
 * trace.
 */
import {
  create,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { Metadata } from '@grpc/grpc-js';
import { codeNumber } from '../../core/codec/item-error.ts';
import type { HoldfastError, Violation } from '../../core/errors.ts';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  HelpSchema,
  RetryInfoSchema,
} from '../gen/google/rpc/error_details_pb.ts';
import { StatusSchema } from '../gen/google/rpc/status_pb.ts';

export const domain = 'holdfast.dev';
export const detailsTrailer = 'grpc-status-details-bin';

/**
 * The maximum size in bytes of an encoded google.rpc.Status: Java's gRPC accepts 8 KB of headers in total, and base64
 * makes the status a third larger.
 */
const mostDetailBytes = 4_096;
const mostMessageChars = 1_024;
const mostDescriptionChars = 256;

export interface GrpcStatus {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata;
}

export function statusOf(error: HoldfastError): GrpcStatus {
  const metadata = new Metadata();
  metadata.set(detailsTrailer, statusBytes(error));
  return { code: codeNumber(error.code), details: messageOf(error), metadata };
}

/** Shortens a text to `chars` characters. Replaces lone surrogates, because encoding one throws. */
function clip(text: string, chars: number): string {
  const wellFormed = text.toWellFormed();
  return wellFormed.length <= chars ? wellFormed : `${wellFormed.slice(0, chars - 1).toWellFormed()}…`;
}

export function messageOf({ message }: HoldfastError): string {
  return clip(message, mostMessageChars);
}

function statusBytes(error: HoldfastError): Buffer {
  const code = codeNumber(error.code);
  for (let shown = error.violations.length; ; shown = shown >> 1) {
    const details = detailsOf(error, error.violations.slice(0, shown)).map(({ desc, value }) =>
      packDetail(desc, value),
    );
    const bytes = toBinary(StatusSchema, create(StatusSchema, { code, message: messageOf(error), details }));
    if (bytes.length <= mostDetailBytes || shown === 0) return Buffer.from(bytes);
  }
}

function packDetail<D extends DescMessage>(desc: D, value: MessageInitShape<D>): Any {
  return anyPack(desc, create(desc, value) as MessageShape<D>);
}

export interface Detail {
  readonly desc: DescMessage;
  readonly value: MessageInitShape<DescMessage>;
}

function detail<D extends DescMessage>(desc: D, value: MessageInitShape<D>): Detail {
  return { desc, value: value as MessageInitShape<DescMessage> };
}

export function detailsOf(
  error: HoldfastError,
  violations: readonly Violation[] = error.violations,
): Detail[] {
  const { reason, taskId, help, retryAfterMs } = error;
  const metadata: Record<string, string> = taskId === undefined ? {} : { task_id: taskId };
  const details = [detail(ErrorInfoSchema, { reason, domain, metadata })];
  if (help !== undefined) {
    details.push(detail(HelpSchema, { links: [{ description: clip(help, mostMessageChars) }] }));
  }
  if (retryAfterMs !== undefined) {
    const seconds = BigInt(Math.floor(retryAfterMs / 1_000));
    const nanos = Math.floor(retryAfterMs % 1_000) * 1_000_000;
    details.push(detail(RetryInfoSchema, { retryDelay: { seconds, nanos } }));
  }
  if (violations.length > 0) {
    const fieldViolations = violations.map(({ field, description }) => ({
      field: clip(field, mostDescriptionChars),
      description: clip(description, mostDescriptionChars),
      reason: '',
    }));
    details.push(detail(BadRequestSchema, { fieldViolations }));
  }
  return details;
}
