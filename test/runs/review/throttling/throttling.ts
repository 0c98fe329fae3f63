/** The fourth question: 500 tasks a second, and DynamoDB begins to throttle. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../../../src/client/create-client.ts';
import { grpcTransport } from '../../../../src/client/grpc/transport.ts';
import { defineTask, HoldfastError, typed } from '../../../../src/index.ts';
import { systemClock } from '../../../../src/platform/clock.ts';
import { queue } from '../../overload/contract.ts';
import { measureOverload, type Overload, type OverloadOptions } from '../../overload/measure.ts';
import type { Evidence, Question } from '../question.ts';

/** A task that no worker takes. It is submitted again and again with one key, so that it exists once. */
const probe = defineTask('probe', { queue, input: typed<{ readonly n: number }>() });
const probeEveryMs = 50;

const whole = { rate: 500, seconds: 60, cut: 15, calibration: 10 } as const;
/** A recovery may take 30 s, so that the load goes on for as long after the shortage. */
const short = { rate: 200, seconds: 60, cut: 8, calibration: 5 } as const;

/** Submits the probe until it is refused, and returns the refusal. */
async function firstRefusal(address: string, signal: AbortSignal): Promise<HoldfastError | undefined> {
  const clock = systemClock();
  const client = createClient(grpcTransport({ address, plaintext: true, clock }), { clock, retryFor: 0 });
  try {
    while (!signal.aborted) {
      try {
        await client.submit(probe, { n: 1 }, { idempotencyKey: 'probe' });
      } catch (thrown) {
        if (thrown instanceof HoldfastError && thrown.code === 'RESOURCE_EXHAUSTED') return thrown;
      }
      await sleep(probeEveryMs);
    }
    return undefined;
  } finally {
    await client.close();
  }
}

/** The log lines that the sequence of an overloaded table must have, in this order. */
export const sequence = [
  'first throttle; the SDK retries the request',
  'breaker open: submissions are refused and claims slowed down',
  'refusing submissions',
  'breaker half open: one call with submissions at a time is admitted',
  'breaker closed: submissions are admitted, twice as many each second',
  'admitting submissions again',
] as const;

/** Returns the parts of the sequence that do not stand in the lines in this order. */
export function missingInSequence(lines: readonly string[]): readonly string[] {
  let from = 0;
  return sequence.filter((part) => {
    const at = lines.findIndex((line, i) => i >= from && line.includes(part));
    if (at === -1) return true;
    from = at;
    return false;
  });
}

function judge(evidence: Evidence, name: string, overload: Overload): void {
  const { carriedPerS, offeredPerS, acknowledged, lost, leasesLost, recoveredInS, timeline } = overload;
  const throttles = timeline.reduce((sum, second) => sum + second.throttles, 0);
  const refused = timeline.reduce((sum, second) => sum + second.refused, 0);
  evidence.see(
    `${name}: this machine carried ${Math.round(carriedPerS)} tasks/s, ${offeredPerS} were offered; ${acknowledged} acknowledged, ${lost} lost, ${leasesLost} leases lost, ${throttles} throttles, ${refused} refusals, recovered ${recoveredInS ?? 'never'} s after the shortage`,
  );
  evidence.expect(
    overload.isGood,
    `${name}: lost ${lost}, leases lost ${leasesLost}, recovered in ${recoveredInS} s`,
  );
  evidence.expect(throttles > 0, `${name}: nothing was throttled`);
}

async function ofTable(evidence: Evidence): Promise<void> {
  evidence.act(
    'an API node, a worker on SQS and 12 callers, each a process; the capacity of the table is cut to a third for 15 s',
  );
  const ended = new AbortController();
  let refusal: Promise<HoldfastError | undefined> | undefined;
  const overload = await measureOverload(
    { ...whole, shortage: 'table' },
    (line) => evidence.see(line),
    (address) => {
      refusal = firstRefusal(address, ended.signal);
    },
  );
  ended.abort();
  evidence.see('log lines of the engines (second, process, line):');
  for (const line of overload.logLines) evidence.see(`  ${line}`);
  const missing = missingInSequence(overload.logLines);
  evidence.expect(missing.length === 0, `no line in this order: ${missing.join(', ')}`);
  const error = await refusal;
  evidence.see(
    `a caller that does not wait gets ${error?.code} ${error?.reason}, RetryInfo ${error?.retryAfterMs} ms: ${error?.message}`,
  );
  evidence.expect((error?.retryAfterMs ?? 0) > 0, 'no refusal with RetryInfo was seen');
  judge(evidence, 'the table', overload);
}

async function ofPart(
  evidence: Evidence,
  shortage: OverloadOptions['shortage'],
  name: string,
): Promise<void> {
  evidence.act(`the same for ${short.cut} s with ${name}`);
  const lines: string[] = [];
  const overload = await measureOverload({ ...short, shortage }, (line) => lines.push(line));
  for (const line of lines) evidence.see(line);
  judge(evidence, name, overload);
  const states = overload.timeline.flatMap(({ api }) => api);
  if (shortage === 'shard')
    evidence.expect(!states.includes('open'), `${name}: the breaker opened, though most calls were good`);
}

export const throttling: Question = {
  number: 4,
  title: '500 tasks a second, and DynamoDB begins to throttle: what happens until all is well again?',
  async answer(evidence) {
    await ofTable(evidence);
    await ofPart(evidence, 'shard', 'one hot shard of the list index');
    await ofPart(evidence, 'queues', 'SQS throttled');
  },
};
