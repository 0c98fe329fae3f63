/**
 * `npm run bench -- --scale` measures what may bend as work grows: streams, queues, payloads, a steady load, watchers, and millions of
 * tasks. Ratios compare two rows of one run. `--waiting N` sets the number of tasks of the last rows; 0 leaves them out.
 */
import { grpcTransport } from '../../src/client/grpc/transport.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { startServerProcess } from '../../test/fixtures/server-process.ts';
import { ScaleReport } from './report.ts';
import type { ScaleSite } from './site.ts';
import { stock } from './stock.ts';
import { idleStreams, smallStreams } from './streams.ts';
import { largePayloads, manyQueues, steadyLoad, watchers } from './submissions.ts';

const parts = [steadyLoad, idleStreams, manyQueues, smallStreams, largePayloads, watchers];

async function onNewServer(report: ScaleReport, part: (site: ScaleSite) => Promise<void>): Promise<void> {
  const server = await startServerProcess();
  const transport = grpcTransport({ address: server.address, tls: server.tls, clock: systemClock() });
  try {
    await part({ server, transport, report });
  } finally {
    await transport.close();
    await server.stop();
  }
}

export async function measureScale(isJson: boolean, waiting: number): Promise<void> {
  const report = new ScaleReport(isJson);
  for (const part of parts) await onNewServer(report, part);
  if (waiting > 0) await (await stock(await startServerProcess(), report, waiting)).stop();
  if (isJson) console.log(report.json());
}
