/** An API node: gRPC without TLS on a free port of the loopback, sweeps included. */

import { defaultLog } from '../../../src/platform/log.ts';
import { listen } from '../../../src/rpc/server/listen.ts';
import { clockOf, given, openNode, tell } from './open-lane-node.ts';

const { place, rest } = given();
const [name = ''] = rest;
const clock = clockOf(place);
const node = await openNode(place, clock, name);
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
tell({ kind: 'ready', port: listening.grpcPort });
