/** The API node: gRPC on a free port of the loopback, sweeps included. No worker is connected to it. */
import { systemClock } from '../../../src/platform/clock.ts';
import { silentLog } from '../../../src/ports/log.ts';
import { listen } from '../../../src/rpc/server/listen.ts';
import { given, openNode, tell } from './open-overload-node.ts';

const node = await openNode(given(), 'api');
const listening = await listen({
  api: node.api,
  grpc: { host: '127.0.0.1', port: 0, plaintext: true },
  clock: systemClock(),
  log: silentLog,
});
tell({ kind: 'ready', port: listening.grpcPort });
