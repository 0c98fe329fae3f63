import { type DescMessage, fromBinary, type Message, type MessageShape, toBinary } from '@bufbuild/protobuf';
import {
  decodeReportRequest,
  decodeReportResponse,
  encodeReportRequest,
  encodeReportResponse,
} from '../../../src/core/codec/report.ts';
import {
  decodeSubmitBatch,
  decodeSubmitResult,
  encodeSubmitBatch,
  encodeSubmitResult,
} from '../../../src/core/codec/submit.ts';
import {
  decodeWorkRequest,
  decodeWorkResponse,
  encodeWorkRequest,
  encodeWorkResponse,
} from '../../../src/core/codec/work.ts';
import type {
  ReportRequest,
  ReportResponse,
  SubmitBatch,
  SubmitBatchResult,
  WorkRequest,
  WorkResponse,
} from '../../../src/core/messages.ts';

/** Copies messages by encoding and decoding them, as a network does, so that the two ends share no objects. */
export const recode = {
  submitBatch: (batch: SubmitBatch) => decodeSubmitBatch(encodeSubmitBatch(batch)),
  submitResult: (result: SubmitBatchResult) => decodeSubmitResult(encodeSubmitResult(result)),
  workRequest: (request: WorkRequest) => decodeWorkRequest(encodeWorkRequest(request)),
  workResponse: (response: WorkResponse) => decodeWorkResponse(encodeWorkResponse(response)),
  reportRequest: (request: ReportRequest) => decodeReportRequest(encodeReportRequest(request)),
  reportResponse: (response: ReportResponse) => decodeReportResponse(encodeReportResponse(response)),
  generated: <D extends DescMessage>(schema: D, message: MessageShape<D> & Message): MessageShape<D> =>
    fromBinary(schema, toBinary(schema, message)),
};
