/**
 * Reads every log call of the sources, and checks that its fields are of a list: a payload, a result, an idempotency key, a
 * lease or a certificate is in none of them. A new field is added to the list by somebody who has thought of that.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { createClient } from '../../src/client/create-client.ts';
import { memory } from '../../src/engines/memory/index.ts';
import { defineTask, defineWorker, FatalError, handle } from '../../src/index.ts';
import { inProcess } from '../../src/node/in-process.ts';
import { startNode } from '../../src/node/node.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { recordingLog } from '../fixtures/listening-node.ts';

const words = (...lines: readonly string[]): ReadonlySet<string> =>
  new Set(lines.flatMap((line) => line.split(' ')));

const allowed = words(
  // A task and its attempt.
  'task_id tenant queue type typeVersion attempt max_attempts worker outcome losses begun running ms why how at',
  // An error: its text is Holdfast's own, or that of the error that a handler threw.
  'err error error_type help refusal reason code cause what call log_error',
  // The wrong argument of `context.progress()`, and a text that a handler logs in place of fields.
  'value value_type logged',
  // A node, its loops and its queues.
  'node shards seat nodes loop silentMs failures failed waiting sent actor freed signal after_ms tasks winner received_from',
  'paused onDead stalled_ms grace_ms left hidden_ms',
  'oldest traces examined waiting_is_lower_bound finished released unanswered still_running lost_spans lost_lines',
  // A server that begins to serve.
  'version grpc_port http_port store',
  // A connection. A peer is an address, an identity the name in a certificate, a header its name without its value.
  'peer listener identity header connections unlogged mostSockets file',
  // A store and the services of AWS.
  'path dependency operation sqs_queue clock_offset_ms retry_after_ms read written message_id pause_ms refused for_ms',
  'good_calls bad_calls open_ms free_bytes needed_bytes',
  // The slots of a canary, and the source of a gauge that could not be read.
  'bad_slots slot_result source',
);

/** The values whose own fields a call may add: those of a task (with its trace) or of a queue (its tenant and its name). */
const spreads = words('...taskFields ...logFields ...queue ...ref ...task');

/** The files that pass on the fields that they are given. */
const passOn = words('src/client/log.ts src/telemetry/logs/line-export.ts src/rpc/server/refusal-log.ts');

const sources = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'src'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /(?<!\.spec)\.ts$/.test(file) && !file.startsWith('src/rpc/gen/'));

const logCall = /(?:\blog|Log)\??\.(?:debug|info|warn|error)\(|\blog\[[^\]]+\]\(/g;

/** Returns the text from `from` up to the bracket that closes it, or up to a comma outside inner brackets. */
function upTo(source: string, from: number, end: 'bracket' | 'comma'): string {
  let depth = 0;
  for (let i = from; i < source.length; i++) {
    const char = source[i] as string;
    if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char) && depth-- === 0) return source.slice(from, i);
    else if (char === ',' && depth === 0 && end === 'comma') return source.slice(from, i);
  }
  throw new Error('a bracket is not closed');
}

/** Returns the names of the fields in an object literal or a variable of the file, spreads with three dots before. */
function fieldsIn(source: string, expression: string, before: number): string[] {
  const text = expression.trim();
  if (!text.startsWith('{')) {
    const at = source.lastIndexOf(`const ${text} = {`, before);
    return at < 0 ? [`the variable ${text}`] : fieldsIn(source, valueAt(source, at), at);
  }
  const inner = upTo(text, 1, 'bracket').replaceAll(/\/\/.*$/gm, '');
  const fields: string[] = [];
  for (let at = 0; at < inner.length; ) {
    const entry = upTo(`${inner.slice(at)},}`, 0, 'comma');
    at += entry.length + 1;
    const name = /^(?:\.\.\.)?#?[\w.]+/.exec(entry.trim())?.[0];
    if (name === undefined) continue;
    const isOwn = name.startsWith('...') && source.lastIndexOf(`const ${name.slice(3)} = {`, before) >= 0;
    fields.push(...(isOwn ? fieldsIn(source, name.slice(3), before) : [name]));
  }
  return fields;
}

function valueAt(source: string, at: number): string {
  const begin = source.indexOf('{', at);
  return `{${upTo(source, begin + 1, 'bracket')}}`;
}

it('every field of every log line is on the list', () => {
  const found: string[] = [];
  let calls = 0;
  for (const file of sources) {
    if (passOn.has(file)) continue;
    const source = readFileSync(file, 'utf8');
    for (const { index, 0: call } of source.matchAll(logCall)) {
      if (/^\s*(\*|\/\/)/.test(source.slice(source.lastIndexOf('\n', index) + 1, index))) continue;
      calls++;
      for (const field of fieldsIn(source, upTo(source, index + call.length, 'comma'), index))
        if (!allowed.has(field) && !spreads.has(field))
          found.push(`${file}:${source.slice(0, index).split('\n').length}: ${field}`);
    }
  }
  expect(found).toEqual([]);
  expect(calls).toBeGreaterThan(70);
});

it('no line of a failing task has anything of its input, its result or its key, also at level debug', async () => {
  const secret = 'S3CR3T';
  const clock = systemClock();
  const log = recordingLog();
  const node = await startNode({ engine: memory({ clock }), clock, log });
  const client = createClient(inProcess({ api: node.api, clock }), {
    clock,
    log: log as never,
    beginsAtOnce: true,
  });
  const pay = defineTask('pay', {
    input: z.object({ card: z.string(), how: z.string() }),
    output: z.object({ receipt: z.string().max(12) }),
    retry: { maxAttempts: 2, backoff: () => '1ms' },
  });
  const ends: Readonly<Record<string, (attempt: number) => unknown>> = {
    returns: () => ({ receipt: `${secret}-ok` }),
    'returns nonsense': () => ({ receipt: `${secret} is too long a receipt` }),
    fails: () => Promise.reject(new Error('the bank is closed')),
    'is fatal': () => Promise.reject(new FatalError('no such card')),
  };
  const run = handle(pay, ({ how }, context) => {
    context.log.info('a line of the handler');
    return ends[how]?.(context.attempt) as never;
  });
  await client.work(defineWorker({ handlers: [run], onDead: () => Promise.reject(new Error('no mail')) }));
  for (const how of Object.keys(ends)) {
    const key = { idempotencyKey: `${secret}-${how}` };
    const task = await client.submit(pay, { card: `${secret}-1234`, how }, key);
    await task.result().catch(() => {});
    await client.submit(pay, { card: secret, how }, key).catch(() => {});
  }
  await client.close();
  await node.close();
  expect(log.lines.length).toBeGreaterThan(8);
  expect(log.lines.filter((line) => inspect(line, { depth: 20 }).includes(secret))).toEqual([]);
});
