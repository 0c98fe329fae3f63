/** Measures the memory and the starts with very many tasks that wait, or that have finished and are kept. */
import { grpcTransport } from '../../src/client/grpc/transport.ts';
import { systemClock } from '../../src/platform/clock.ts';
import type { ServerProcess } from '../../test/fixtures/server-process.ts';
import { bulk } from '../load.ts';
import { startWorker } from '../worker-process.ts';
import type { ScaleReport } from './report.ts';

async function restarted(server: ServerProcess, report: ScaleReport, what: string): Promise<ServerProcess> {
  report.add(`memory with ${what}`, 'MB', server.usage().rssMb);
  const again = await server.restart();
  report.add('  start after SIGKILL', 's', again.startMs / 1_000);
  report.add('  memory after that start', 'MB', again.usage().rssMb);
  return again;
}

/** Fills a queue with `count` tasks and processes them, with a start after SIGKILL after each. Returns the last server. */
export async function stock(
  first: ServerProcess,
  report: ScaleReport,
  count: number,
): Promise<ServerProcess> {
  const transport = grpcTransport({ address: first.address, tls: first.tls, clock: systemClock() });
  const filling = await bulk(transport, 'stock', count, 4);
  await transport.close();
  const text = count.toLocaleString('en');
  report.add(`fill a queue with ${text} tasks`, '/s', count / filling);
  const second = await restarted(first, report, `${text} waiting`);
  const worker = await startWorker(second, 'stock');
  const beganMs = performance.now();
  await worker.until(count);
  report.add(`process ${text} tasks`, '/s', count / ((performance.now() - beganMs) / 1_000));
  await worker.stop();
  return restarted(second, report, `${text} finished`);
}
