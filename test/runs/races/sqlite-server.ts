/** Main program of a server over mutual TLS on a store in a file. Its broker gives each delivery to two receivers. */
import { sqlite } from '../../../src/engines/sqlite/index.ts';
import { startNode } from '../../../src/node/node.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { listen } from '../../../src/rpc/server/listen.ts';
import { lossLog } from './loss-log.ts';
import { pairedDeliveries } from './paired-deliveries.ts';
import { reportToParent } from './race.ts';

const [path = '', ca = '', cert = '', key = ''] = process.argv.slice(2);
process.once('disconnect', () => process.exit(1));
const clock = systemClock();
const log = lossLog;
const engine = await sqlite({ path, clock, log });
const node = await startNode({ engine: { ...engine, broker: pairedDeliveries(engine.broker) }, clock, log });
const grpc = { host: '127.0.0.1', port: 0, tls: { ca, cert, key } };
const listening = await listen({ api: node.api, grpc, clock, log });
process.once('SIGTERM', async () => {
  listening.drain();
  await node.close(0);
  await listening.close();
  process.exit(0);
});
reportToParent({ kind: 'ready', port: listening.grpcPort });
