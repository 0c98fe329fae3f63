/**
 * Main program of an API node, which also sweeps. It serves gRPC without TLS on a free port of the loopback address.
 */

import { defaultLog } from '../../../src/platform/log.ts';
import { listen } from '../../../src/rpc/server/listen.ts';
import { clockOf, openNode, processArguments, report } from './open-lane-node.ts';

const { address, rest } = processArguments();
const [name = ''] = rest;
const clock = clockOf(address);
const node = await openNode(address, clock, name);
const listening = await listen({
  api: node.api,
  grpc: { host: '127.0.0.1', port: 0, plaintext: true },
  clock,
  log: defaultLog(),
});
process.once('SIGTERM', async () => {
  listening.drain();
  await node.close(1_000);
  await listening.close();
  process.exit(0);
});
report({ kind: 'ready', port: listening.grpcPort });
