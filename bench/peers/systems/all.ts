import type { Peer } from '../peer.ts';
import { beanstalkdSynced, beanstalkdUnsynced } from './beanstalkd.ts';
import { bullmqAlways, bullmqEverysec } from './bullmq.ts';
import { bunqueue } from './bunqueue.ts';
import { graphile } from './graphile-worker.ts';
import { holdfast } from './holdfast.ts';
import { natsSynced, natsUnsynced } from './nats.ts';
import { pgBoss } from './pg-boss.ts';
import { rabbitmq } from './rabbitmq.ts';
import { redisStreams } from './redis-streams.ts';

export const peers: readonly Peer[] = [
  holdfast,
  rabbitmq,
  bullmqAlways,
  graphile,
  pgBoss,
  natsSynced,
  beanstalkdSynced,
  bunqueue,
  redisStreams,
  bullmqEverysec,
  natsUnsynced,
  beanstalkdUnsynced,
];

export function peerOf(name: string): Peer {
  const peer = peers.find((one) => one.name === name);
  if (peer === undefined) throw new Error(`'${name}' is none of ${peers.map((one) => one.name).join(', ')}`);
  return peer;
}
