/** Observes one submission: its answer, and what reached the store and the broker because of it. */

import { GetQueueAttributesCommand, GetQueueUrlCommand } from '@aws-sdk/client-sqs';
import { sqsQueuesOf } from '../../../../src/engines/aws/index.ts';
import { slotOf } from '../../../../src/engines/aws/table/schema/ids.ts';
import type { LoggedCall } from '../../../stand-ins/proxy/call.ts';
import { standInClient } from '../../../stand-ins/sqs-stand-in.ts';
import { readCopy } from '../site/file-copy.ts';
import type { Site } from '../site/site.ts';

export interface Observed {
  readonly id: string;
  /** The answer in words. */
  readonly answer: string;
  /** The requests to the table and to SQS, or whether the file has a new row, in words. */
  readonly reached: string;
  readonly deduplicationIds: readonly string[];
  /** The write units that were charged during the call, without those of indexes. */
  readonly writeUnits: number;
  /** How many messages the queue has, hidden ones too. */
  readonly messages: number;
  /** How many tasks the file has. */
  readonly rows: number;
  readonly ms: number;
  /** The functions of the server that were called. */
  readonly called: ReadonlySet<string>;
}

interface Submitted {
  readonly id: string;
  readonly text: string;
}

const tenant = 'default';
const consumed = 'holdfast_aws_consumed_total';
const writes = 'kind="write"';

async function messagesIn({ aws }: Site, queue: string): Promise<number> {
  if (aws === undefined) return 0;
  const client = standInClient(aws.sqs.url);
  const [definition] = sqsQueuesOf(aws.tableName, { tenant, queue });
  const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: definition?.name }));
  const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
  const { Attributes = {} } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...names] }),
  );
  client.destroy();
  return names.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0);
}

function rowsIn({ file }: Site): number {
  if (file === undefined) return 0;
  return readCopy(file, (database) =>
    Number(database.prepare('SELECT count(*) AS count FROM task').get()?.count),
  );
}

const textOf = ({ operation, status }: LoggedCall): string =>
  status === 400 ? `${operation} refused` : operation;

function entriesOf({ body }: LoggedCall): readonly Readonly<Record<string, string>>[] {
  return (body.Entries ?? []) as readonly Readonly<Record<string, string>>[];
}

/** Runs a submission, and returns what was seen because of its key. */
export async function observe(
  site: Site,
  { queue, key }: { readonly queue: string; readonly key: string },
  submit: () => Promise<Submitted>,
): Promise<Observed> {
  const { aws } = site;
  const slot = slotOf({ tenant, queue, key });
  const isOwn = (call: LoggedCall): boolean => JSON.stringify(call.body).includes(slot);
  await site.takeCalled();
  const rowsBefore = rowsIn(site);
  const unitsBefore = aws === undefined ? 0 : await site.metric(consumed, writes);
  const [tableFrom, sqsFrom] = [aws?.table.calls.length ?? 0, aws?.sqs.calls.length ?? 0];
  const beganMs = performance.now();
  const { id, text } = await submit();
  const ms = performance.now() - beganMs;
  const called = await site.takeCalled();
  const table = (aws?.table.calls ?? []).slice(tableFrom).filter(isOwn);
  const sends = (aws?.sqs.calls ?? [])
    .slice(sqsFrom)
    .filter((call) => call.operation.startsWith('SendMessage') && isOwn(call));
  const rows = rowsIn(site);
  const parts = [table, sends]
    .filter(({ length }) => length > 0)
    .map((calls) => calls.map(textOf).join(', '));
  return {
    ...{ id, answer: text, ms, called, rows },
    reached:
      aws === undefined
        ? rows > rowsBefore
          ? `${rows - rowsBefore} new row`
          : 'no new row'
        : parts.join('; '),
    deduplicationIds: sends.flatMap((call) =>
      entriesOf(call).map(({ MessageDeduplicationId = '' }) => MessageDeduplicationId),
    ),
    writeUnits: aws === undefined ? 0 : (await site.metric(consumed, writes)) - unitsBefore,
    messages: await messagesIn(site, queue),
  };
}

export function columnsText(engine: string, what: string, { answer, reached, ms }: Observed): string {
  return `${engine}: ${what.padEnd(34)} ${answer.padEnd(26)} ${reached} (${ms.toFixed(1)} ms)`;
}
