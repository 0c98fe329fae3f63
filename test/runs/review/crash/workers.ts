/** The workers of the second question, each a process: by a stream, by single calls, or on SQS without a server. */
import { DrillProcess } from '../../drill/drill-process.ts';
import type { Site } from '../site/site.ts';

export type WorkerKind = 'stream' | 'unary' | 'sqs';

export interface CrashingWorker {
  /** Lets the process stand still. */
  pause(): void;
  kill(): Promise<void>;
}

const pathOf = (file: string): string => new URL(file, import.meta.url).pathname;
const main = pathOf('../../../../src/cli/main.ts');

async function start(
  site: Site,
  kind: WorkerKind,
  own: Readonly<Record<string, string>>,
): Promise<CrashingWorker> {
  const env = { ...own, HOLDFAST_LOG: 'error' };
  const name = `${own.WORKER}-${own.QUEUE}`;
  const module = pathOf('./worker-module.ts');
  const started =
    kind === 'unary'
      ? new DrillProcess(site.dir, name, [pathOf('./unary-process.ts')], {
          ...env,
          ADDRESS: site.url.replace(/^.*\/\//, ''),
        })
      : new DrillProcess(site.dir, name, [main, 'worker', module, '--json'], {
          ...env,
          ...(kind === 'sqs' ? site.aws?.env : { HOLDFAST_URL: site.url }),
        });
  await started.ready;
  return {
    pause: () => void process.kill(started.pid, 'SIGSTOP'),
    kill: async () => {
      if (started.status === null) await started.kill();
    },
  };
}

/** Starts the worker that will crash. By single calls it sends a heartbeat after so many ms; the SDK sends its own every 10 s. */
export function startFirst(
  site: Site,
  kind: WorkerKind,
  queue: string,
  heartbeatMs: number | undefined,
): Promise<CrashingWorker> {
  return start(site, kind, {
    WORKER: 'first',
    QUEUE: queue,
    HEARTBEAT_MS: heartbeatMs === undefined ? '' : String(heartbeatMs),
  });
}

export function startSecond(site: Site, kind: WorkerKind, queue: string): Promise<CrashingWorker> {
  return start(site, kind, { WORKER: 'second', QUEUE: queue, HEARTBEAT_MS: '' });
}
