/** The seventh question: a customer's task never completed, and nothing is known but the time of its submission. */
import { ensureInstalled } from '../../alerts/programs.ts';
import { linesOf, settled, traceOf } from '../../backends/searches.ts';
import { type Stack, startStack } from '../../backends/stack.ts';
import { runProgram, startVerb } from '../../telemetry/processes.ts';
import { onSqlite } from '../../telemetry/run.ts';
import type { Evidence, Question } from '../question.ts';
import type { SubmittedTasks } from './contract.ts';

const pathOf = (file: string): string => new URL(file, import.meta.url).pathname;
const main = pathOf('../../../../src/cli/main.ts');
/** How long the telemetry of the tasks may need until it can be found. */
const patienceMs = 20_000;

interface Why {
  readonly verdict: string;
  readonly sentence: string;
  readonly next?: string;
  readonly traceId?: string;
  readonly isTraceKept?: boolean;
  readonly task: { readonly id: string };
  readonly culprit?: { readonly text: string; readonly service: string };
  readonly queries: { readonly logsql: string };
  readonly timeline: readonly { readonly kind: string }[];
  readonly evidence: Readonly<Record<string, string>>;
}

/** A cause, and by which task the verdict must name it. */
interface Expected {
  readonly name: string;
  readonly verdict: string;
  readonly isTraceKept: boolean;
}

const expectations: readonly Expected[] = [
  { name: 'failing', verdict: 'DEAD_ATTEMPTS', isTraceKept: true },
  { name: 'unserved', verdict: 'NO_WORKER_FOR_TYPE', isTraceKept: false },
  { name: 'behind', verdict: 'LANE_HELD_BY_DEAD', isTraceKept: false },
];

class Stopwatch {
  readonly #evidence: Evidence;
  totalS = 0;

  constructor(evidence: Evidence) {
    this.#evidence = evidence;
  }

  /** Runs a step of the investigation, and records what it did and how long it took. */
  async step<T>(what: string, run: () => Promise<T>): Promise<T> {
    const beganMs = performance.now();
    const result = await run();
    const seconds = (performance.now() - beganMs) / 1_000;
    this.totalS += seconds;
    this.#evidence.act(`${what} (${seconds.toFixed(1)} s)`);
    return result;
  }
}

async function investigate(
  evidence: Evidence,
  stack: Stack,
  env: Readonly<Record<string, string>>,
  { name, verdict, isTraceKept }: Expected,
  { id, atMs }: SubmittedTasks[string],
): Promise<void> {
  // The customer says a second of the clock, and the command gets nothing else.
  const instant = new Date(atMs).toISOString();
  const at = `${instant.slice(11, 19)}Z`;
  const watch = new Stopwatch(evidence);
  const command = async (...argv: readonly string[]): Promise<Why> =>
    JSON.parse(await runProgram([main, ...argv, '--json'], env)) as Why;
  const why = await watch.step(`holdfast why --submitted-at ${at}`, () =>
    command('why', '--submitted-at', at),
  );
  evidence.see(`${why.verdict}: ${why.sentence}`);
  evidence.see(`task ${why.task.id}, trace ${why.traceId ?? 'none'}, next: ${why.next ?? 'nothing'}`);
  evidence.expect(why.verdict === verdict, `${name}: ${why.verdict} in place of ${verdict}`);
  evidence.expect(why.task.id === id, `${name}: ${why.task.id} in place of ${id}`);
  evidence.expect(why.isTraceKept === isTraceKept, `${name}: isTraceKept is ${why.isTraceKept}`);
  if (why.culprit !== undefined) evidence.see(`culprit: ${why.culprit.service}: ${why.culprit.text}`);
  if (isTraceKept) {
    const spans = await watch.step(`Jaeger: GET /api/v3/traces/${why.traceId}`, () =>
      traceOf(stack, why.traceId ?? ''),
    );
    for (const span of spans)
      evidence.see(
        `  ${span.name} (${span.resource['service.name']}) ${Math.round(span.endMs - span.startMs)} ms${span.status === 'error' ? ` ERROR ${span.statusMessage}` : ''}`,
      );
    evidence.expect(spans.length > 2, `${name}: ${spans.length} spans`);
  } else {
    evidence.see('the trace was not kept; the timeline of the history:');
    evidence.see(`  ${why.timeline.map(({ kind }) => kind).join(' → ')} → now`);
    evidence.expect(why.timeline.length > 0, `${name}: no timeline`);
  }
  const lines = await watch.step(`VictoriaLogs: ${why.queries.logsql}`, () =>
    linesOf(stack, why.queries.logsql),
  );
  for (const line of lines.slice(0, 4))
    evidence.see(`  ${line.severity_text} ${line['service.name']} ${line._msg}`);
  if (lines.length === 0) evidence.see('  no line, since no attempt began');
  if (verdict === 'DEAD_ATTEMPTS')
    evidence.expect(
      why.culprit?.text.includes('no terminal for order 1, attempt 2') === true && lines.length > 0,
      `${name}: the culprit is ${JSON.stringify(why.culprit)}`,
    );
  if (verdict === 'LANE_HELD_BY_DEAD') {
    const dead = why.next?.split(' ').at(-1) ?? '';
    const other = await watch.step(`holdfast why ${dead}`, () => command('why', dead));
    evidence.see(`${other.verdict}: ${other.sentence}`);
    evidence.expect(other.verdict === 'DEAD_FATAL', `${name}: the task before it is ${other.verdict}`);
  }
  evidence.see(`cause of '${name}' known after ${watch.totalS.toFixed(1)} s`);
}

async function onStack(evidence: Evidence, stack: Stack): Promise<void> {
  const store = onSqlite();
  const exporting = {
    OTEL_EXPORTER_OTLP_ENDPOINT: stack.otlpUrl,
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_LOGS_EXPORTER: 'otlp',
    OTEL_BSP_SCHEDULE_DELAY: '200',
    OTEL_BLRP_SCHEDULE_DELAY: '200',
    HOLDFAST_LOG: 'info',
  };
  const server = await startVerb(
    ['serve', ...store.args, '--port', '0', '--http-port', '0', '--plaintext'],
    exporting,
  );
  const own = { ...exporting, HOLDFAST_URL: `holdfast+plaintext://127.0.0.1:${server.startReport.grpcPort}` };
  try {
    const worker = await startVerb(['worker', pathOf('./worker-module.ts')], own);
    try {
      await runProgram([main, 'queues', 'create', 'default'], own);
      await runProgram([main, 'queues', 'set', 'default', '--on-dead', 'hold'], own);
      const submitted = JSON.parse(await runProgram([pathOf('./client-process.ts')], own)) as SubmittedTasks;
      evidence.act('a shop submits tasks, and three of them never complete; the customer knows the second');
      const env = {
        ...own,
        HOLDFAST_TRACES_URL: `jaeger+${stack.tracesUrl}`,
        HOLDFAST_LOGS_URL: `victorialogs+${stack.logsUrl}`,
      };
      const { id = '' } = submitted.failing ?? {};
      const missing = await settled(patienceMs, async () => {
        const lines = await linesOf(stack, `task_id:="${id}" AND severity_text:ERROR`);
        return lines.length > 0 ? [] : ['the error line of the failing task in VictoriaLogs'];
      });
      evidence.expect(missing.length === 0, missing.join());
      for (const one of expectations)
        await investigate(evidence, stack, env, one, submitted[one.name] as SubmittedTasks[string]);
    } finally {
      await worker.end('SIGKILL');
    }
  } finally {
    await server.end('SIGKILL');
    await store.close();
  }
}

export const lostTask: Question = {
  number: 7,
  title: 'A customer’s task, submitted at 10:03:45, never completed: what is the fastest way to the cause?',
  async answer(evidence) {
    const advice = ensureInstalled(['prometheus']);
    if (advice !== undefined) throw new Error(advice);
    // The collector keeps traces with an error, a retry or a long span alone.
    await using stack = await startStack({ say: (line) => evidence.act(line), keptPercent: 0 });
    await onStack(evidence, stack);
  },
};
