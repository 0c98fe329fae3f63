/** A batch of which some entries fail, one by one, as AWS lets them. */
import { type Answer, answerOf, type Json } from '../call.ts';

interface Entry extends Json {
  readonly Id: string;
}

export interface Parted {
  /** The call with the entries that go on; undefined: none is left. */
  readonly body: Json | undefined;
  readonly failed: readonly Json[];
}

export function isBatch(operation: string): boolean {
  return operation.endsWith('Batch');
}

export function entriesOf(body: Json): readonly Entry[] {
  return (body.Entries as readonly Entry[] | undefined) ?? [];
}

export function parted(body: Json, fails: (id: string) => boolean): Parted {
  const entries = entriesOf(body);
  const going = entries.filter(({ Id }) => !fails(Id));
  const failed = entries
    .filter((entry) => !going.includes(entry))
    .map(({ Id }) => ({
      Id,
      Code: 'InternalError',
      Message: 'We encountered an internal error. Please try again.',
      SenderFault: false,
    }));
  return { body: going.length === 0 ? undefined : { ...body, Entries: going }, failed };
}

/** The stand-in's answer about the entries that went on, with those that failed. */
export function withFailed(answer: Answer | undefined, failed: readonly Json[]): Answer {
  if (answer === undefined) return answerOf(200, { Successful: [], Failed: failed });
  if (answer.status !== 200 || failed.length === 0) return answer;
  const body = JSON.parse(answer.body) as { Failed?: readonly Json[] };
  return { ...answer, body: JSON.stringify({ ...body, Failed: [...(body.Failed ?? []), ...failed] }) };
}
