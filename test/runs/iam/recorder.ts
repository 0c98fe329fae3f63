/**
 * Records the calls to AWS of each process into which it is loaded (`node --import`), by a file for each process in the folder
 * HOLDFAST_IAM_RECORD. HOLDFAST_IAM_CALLER names the caller of a process that is no verb of the command. A call that IAM would judge as an earlier one of the process is recorded once.
 */
import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { verbInProcess } from '../../fixtures/verb-in-process.ts';
import { callerOf } from './attribution.ts';
import { type Caller, type Input, kindOf } from './calls.ts';

interface Sent {
  readonly input: Input;
  readonly constructor: { readonly name: string };
}

interface Sender {
  readonly config: { readonly serviceId?: string };
  send(command: Sent, ...rest: unknown[]): unknown;
}

const folder = process.env.HOLDFAST_IAM_RECORD;
const named = process.env.HOLDFAST_IAM_CALLER as Caller | undefined;

if (folder !== undefined) {
  const file = join(folder, `${process.pid}-${threadId}.jsonl`);
  const seen = new Set<string>();
  // All clients of the SDK inherit from one class, which is loaded much faster than they are.
  const sdk = createRequire(createRequire(import.meta.url).resolve('@aws-sdk/client-dynamodb'));
  const { prototype } = (sdk('@smithy/core/client') as { readonly Client: { readonly prototype: Sender } })
    .Client;
  const { send } = prototype;
  prototype.send = function (this: Sender, sent, ...rest) {
    const { input } = sent;
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 100;
    const stack = new Error().stack ?? '';
    const caller = named ?? callerOf({ argv: process.argv, verb: verbInProcess(), stack });
    Error.stackTraceLimit = stackTraceLimit;
    if (caller !== undefined) {
      const operation = sent.constructor.name.replace(/Command$/, '');
      const call = { caller, service: this.config.serviceId ?? '', operation, input };
      const kind = kindOf(call);
      if (!seen.has(kind)) appendFileSync(file, `${JSON.stringify(call, withBytes)}\n`);
      seen.add(kind);
    }
    return send.call(this, sent, ...rest);
  };
}

/** Writes bytes as base64: DynamoDB's own JSON has them so. */
function withBytes(_name: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}
