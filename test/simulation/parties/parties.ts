import type { Client } from '../../../src/client/client.ts';
import { createClient } from '../../../src/client/create-client.ts';
import type { Network } from '../network/network.ts';
import { observed } from '../network/observed.ts';
import { SimProcess } from '../network/process.ts';
import { SimTransport } from '../network/transport.ts';

const furthestOffMs = 1_000;

export function processOf({ world }: Network, name: string): SimProcess {
  return new SimProcess(world.clock, name, world.between(-furthestOffMs, furthestOffMs));
}

/** Returns an SDK client of a process on the simulated network. */
export function clientOf(network: Network, process: SimProcess): Client {
  const transport = observed(new SimTransport(network, process), process, network.world.assigned);
  return createClient(transport, { clock: process.clock, workerName: process.name });
}
