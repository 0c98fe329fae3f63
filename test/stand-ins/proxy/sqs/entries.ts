/** Splits an SQS batch of which some entries shall fail, as single entries of a batch may fail on AWS. */
import { type Answer, answerOf, type Json } from '../call.ts';

interface BatchEntry extends Json {
  readonly Id: string;
}

export interface SplitEntries {
  /** The batch request with the entries to forward, or undefined if all entries fail. */
  readonly body: Json | undefined;
  readonly failed: readonly Json[];
}

export function isBatch(operation: string): boolean {
  return operation.endsWith('Batch');
}

export function entriesOf(body: Json): readonly BatchEntry[] {
  return (body.Entries as readonly BatchEntry[] | undefined) ?? [];
}

export function splitEntries(body: Json, fails: (id: string) => boolean): SplitEntries {
  const entries = entriesOf(body);
  const forwarded = entries.filter(({ Id }) => !fails(Id));
  const failed = entries
    .filter((entry) => !forwarded.includes(entry))
    .map(({ Id }) => ({
      Id,
      Code: 'InternalError',
      Message: 'We encountered an internal error. Please try again.',
      SenderFault: false,
    }));
  return { body: forwarded.length === 0 ? undefined : { ...body, Entries: forwarded }, failed };
}

/** Adds the failed entries of a batch to the stand-in's answer about the forwarded entries. */
export function withFailed(answer: Answer | undefined, failed: readonly Json[]): Answer {
  if (answer === undefined) return answerOf(200, { Successful: [], Failed: failed });
  if (answer.status !== 200 || failed.length === 0) return answer;
  const body = JSON.parse(answer.body) as { Failed?: readonly Json[] };
  return { ...answer, body: JSON.stringify({ ...body, Failed: [...(body.Failed ?? []), ...failed] }) };
}
