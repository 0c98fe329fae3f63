/**
 * `npm run test:backends`: tasks go through a client, a server, a worker of the SDK and one in Python, on both engines, and their
 * telemetry goes to real back ends. By the id of one trace it is found again by the query APIs of Jaeger, VictoriaLogs and
 * Prometheus, by `holdfast why`, and by the queries of the runbooks. The exit status is 0 if nothing is missing.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import { ensureInstalled } from '../alerts/programs.ts';
import type { EngineName } from '../telemetry/run.ts';
import { treeOf } from '../telemetry/trace-tree.ts';
import { keptWithoutCause, missingLines, missingMetrics, missingSpans, spansOfTasks } from './checks.ts';
import type { Submitted } from './contract.ts';
import { type Deployment, type MetricsPorts, startDeployment, targetsOf } from './deployment.ts';
import { failedQueries, runbookQueries } from './runbook-queries.ts';
import { linesOf, settled } from './searches.ts';
import { freePorts, type Stack, startStack } from './stack.ts';
import { missingByLines, missingByTraces, missingObjectives } from './why-checks.ts';

const { engine: only } = programOptions('test:backends', { engine: '' });
const engines = (only === '' ? ['sqlite', 'aws'] : [only]) as readonly EngineName[];
/** How long what is exported may need until it is found, in ms. */
const patienceMs = 20_000;
/** How often the client runs: of a counter whose first value Prometheus reads it knows an increase from the second one on. */
const rounds = 2;
const ruleFiles = [`${new URL('../../../deploy/observability/rules/', import.meta.url).pathname}*.yml`];

/** The time after which a run that hangs is given up, once the back ends are built. Its programs end with it. */
const limitMs = 120_000;

const say = (line: string): void =>
  console.log(`${(performance.now() / 1_000).toFixed(1).padStart(6)} s  ${line}`);

async function chosenPorts(): Promise<MetricsPorts> {
  const [server, worker, canary] = await freePorts(3);
  return { server, worker, canary } as MetricsPorts;
}

const missing: Readonly<Record<'traces' | 'logs' | 'metrics', string[]>> = {
  traces: [],
  logs: [],
  metrics: [],
};

async function checkTasks(stack: Stack, deployment: Deployment, submitted: Submitted): Promise<void> {
  const { engine } = deployment;
  const check = async (
    signal: keyof typeof missing,
    what: string,
    find: () => Promise<readonly string[]>,
  ): Promise<void> => {
    const found = await settled(patienceMs, find);
    missing[signal].push(...found.map((line) => `${engine}: ${line}`));
    say(`${engine}: ${what}: ${found.length === 0 ? 'found' : `${found.length} missing`}`);
  };
  await check('traces', `trace ${submitted.traceId} in Jaeger`, () =>
    missingSpans(stack, deployment, submitted),
  );
  await check('traces', 'nothing of the task that the collector need not keep', () =>
    keptWithoutCause(stack, submitted),
  );
  await check('logs', 'its lines in VictoriaLogs', () => missingLines(stack, submitted));
  await check('metrics', 'its metrics and an exemplar in Prometheus', () =>
    missingMetrics(stack, deployment, rounds, submitted),
  );
  await Promise.all([
    check('traces', 'holdfast why with Jaeger alone', () => missingByTraces(deployment, submitted)),
    check('logs', 'holdfast why with both stores', () => missingByLines(deployment, submitted)),
  ]);
}

/** Runs the queries of the runbooks on healthy servers. Those without an answer then run again after a server was stopped. */
async function checkRunbooks(stack: Stack, deployment: Deployment): Promise<void> {
  const inHealth = await failedQueries(stack, runbookQueries);
  say(
    `${runbookQueries.length} queries of the runbooks: ${runbookQueries.length - inHealth.length} answered`,
  );
  await deployment.stopServer();
  say('a server is stopped');
  let failed = inHealth;
  await settled(8_000, async () => {
    failed = await failedQueries(
      stack,
      failed.map(({ query }) => query),
    );
    return failed.map(({ sentence }) => sentence);
  });
  const signals = { jaeger: 'traces', logsql: 'logs', promql: 'metrics' } as const;
  for (const { query, sentence } of failed) missing[signals[query.language]].push(sentence);
  say(`the queries of the runbooks: ${failed.length} failed`);
}

async function print(stack: Stack, { traceId, send, sendInPython }: Submitted): Promise<void> {
  const spans = await spansOfTasks(stack, [send, sendInPython]);
  for (const one of new Set([traceId, ...spans.map((span) => span.traceId)])) {
    console.log(one === traceId ? `trace ${one}` : `a later attempt, trace ${one}`);
    for (const line of treeOf(spans, one)) console.log(`  ${line}`);
  }
  console.log('its lines:');
  for (const line of await linesOf(stack, `trace_id:="${traceId}" | sort by (_time)`))
    console.log(
      `  ${line._time} ${line['service.name']} ${line.severity_text} ${line._msg}: ${line.error ?? ''}`,
    );
}

async function run(): Promise<void> {
  const ports = await Promise.all(engines.map(chosenPorts));
  await using stack = await startStack({ say, keptPercent: 0, ruleFiles, targets: ports.flatMap(targetsOf) });
  setTimeout(() => {
    console.error(`the run did not end within ${limitMs / 1_000} s`);
    process.exit(1);
  }, limitMs).unref();
  say('Jaeger, VictoriaLogs and Prometheus are ready');
  const deployments: Deployment[] = [];
  try {
    const starting = engines.map((engine, i) => startDeployment(engine, stack, ports[i] as MetricsPorts));
    const started = await Promise.allSettled(starting);
    for (const one of started) if (one.status === 'fulfilled') deployments.push(one.value);
    await Promise.all(starting);
    say(`servers, workers and canaries run on ${engines.join(' and ')}`);
    const submitted: Submitted[] = [];
    for (let round = 1; round <= rounds; round++) {
      const latest = await Promise.all(deployments.map((one) => one.submit(round)));
      submitted.splice(0, submitted.length, ...latest);
    }
    say('the tasks have ended');
    await Promise.all(deployments.map((one, i) => checkTasks(stack, one, submitted[i] as Submitted)));
    if (submitted[0] !== undefined) await print(stack, submitted[0]);
    missing.metrics.push(...(await missingObjectives(deployments[0] as Deployment)));
    await checkRunbooks(stack, deployments[0] as Deployment);
  } finally {
    await Promise.all(deployments.map((one) => one.end()));
  }
}

const advice = ensureInstalled(['prometheus']);
try {
  if (advice !== undefined) throw new Error(advice);
  await run();
} catch (thrown) {
  const { message } = thrown as Error;
  for (const found of Object.values(missing)) found.push(message);
}
for (const line of new Set(Object.values(missing).flat())) console.log(`missing: ${line}`);
const word = (found: readonly string[]): string => (found.length === 0 ? 'ok' : 'missing');
say('the end');
console.log(
  `backends: traces=${word(missing.traces)} logs=${word(missing.logs)} metrics=${word(missing.metrics)}`,
);
process.exit(Object.values(missing).every((found) => found.length === 0) ? 0 : 1);
