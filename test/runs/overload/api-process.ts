/** Main program of the API node. It serves gRPC on a free port of the loopback address, sweeps, and has no workers. */
import { systemClock } from '../../../src/platform/clock.ts';
import { silentLog } from '../../../src/ports/log.ts';
import { listen } from '../../../src/rpc/server/listen.ts';
import { addressFromArguments, openNode, report } from './open-overload-node.ts';

const node = await openNode(addressFromArguments(), 'api');
const listening = await listen({
  api: node.api,
  grpc: { host: '127.0.0.1', port: 0, plaintext: true },
  clock: systemClock(),
  log: silentLog,
});
report({ kind: 'ready', port: listening.grpcPort });
