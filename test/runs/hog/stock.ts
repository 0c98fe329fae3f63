/** Submits the tasks that the store has before an attack, and returns their ids. */
import { grpcTransport } from '../../../src/client/grpc/transport.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import type { CertificateFiles } from '../../../src/tls/load.ts';
import { ensureAccepted, item, specOf } from '../../fixtures/api-node.ts';
import type { Stock } from './attack.ts';
import { stockQueue, stockType } from './messages.ts';

interface Amount {
  readonly calls: number;
  readonly tasksEach: number;
  readonly payloadBytes: number;
}

/** One call may have 1 MiB, so that it holds three of the largest payloads. */
const amounts: Readonly<Record<Stock, Amount>> = {
  noTasks: { calls: 0, tasksEach: 0, payloadBytes: 0 },
  '300SmallTasks': { calls: 3, tasksEach: 100, payloadBytes: 100 },
  '402LargeTasks': { calls: 134, tasksEach: 3, payloadBytes: 250_000 },
  '20000SmallTasks': { calls: 200, tasksEach: 100, payloadBytes: 100 },
};

export async function stockUp(grpcPort: number, tls: CertificateFiles, stock: Stock): Promise<string[]> {
  const { calls, tasksEach, payloadBytes } = amounts[stock];
  const transport = grpcTransport({ address: `127.0.0.1:${grpcPort}`, tls, clock: systemClock() });
  const spec = specOf(JSON.stringify('x'.repeat(payloadBytes)), stockType);
  const ids: string[] = [];
  for (let call = 0; call < calls; call++) {
    const items = Array.from({ length: tasksEach }, (_, i) => item(`stock/${call}/${i}`, { spec }));
    const { results } = await transport.submit(
      { tenant: '', queue: stockQueue, items },
      { timeoutMs: 10_000 },
    );
    ids.push(...results.map((result) => ensureAccepted(result).id));
  }
  await transport.close();
  return ids;
}
