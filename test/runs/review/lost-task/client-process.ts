/** The customer's program: it submits tasks some seconds apart, each within a trace of its own, and prints when. */
import { setTimeout as sleep } from 'node:timers/promises';
import { trace } from '@opentelemetry/api';
import { connect } from '../../../../src/index.ts';
import { systemClock } from '../../../../src/platform/clock.ts';
import { silentLog } from '../../../../src/ports/log.ts';
import { processAttributes } from '../../../../src/telemetry/otlp/environment.ts';
import { startExporting } from '../../../../src/telemetry/traces/start-exporting.ts';
import { book, charge, exportOrder, type SubmittedTasks } from './contract.ts';

/** Longer than the second before and after a time that `holdfast why --submitted-at` looks at. */
const apartMs = 2_500;
const { env } = process;
const named = processAttributes(env, { name: 'shop', version: '1', instanceId: '1' });
const exporting = await startExporting({ env, clock: systemClock(), log: silentLog, process: named });
const client = connect(undefined, { plaintext: true });
const tracer = trace.getTracer('shop');
const submitted: Record<string, SubmittedTasks[string]> = {};

async function submit(name: string, send: () => Promise<{ readonly id: string }>): Promise<void> {
  await tracer.startActiveSpan(`POST /${name}`, async (span) => {
    const atMs = Date.now();
    submitted[name] = { id: (await send()).id, atMs };
    span.end();
  });
  await sleep(apartMs);
}

await submit('wrong booking', () => client.submit(book, { account: '7', cents: 0 }));
await submit('failing', () => client.submit(charge, { order: 1 }));
await submit('unserved', () => client.submit(exportOrder, { order: 2 }));
await submit('behind', () => client.submit(book, { account: '7', cents: 250 }));
await client.close();
await exporting?.stop(5_000);
console.log(JSON.stringify(submitted));
