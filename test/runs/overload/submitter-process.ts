/**
 * Main program of the callers. They submit tasks at a steady rate with the SDK, which waits as the server's RetryInfo
 * says.
 */
import { createClient } from '../../../src/client/create-client.ts';
import { grpcTransport } from '../../../src/client/grpc/transport.ts';
import type { Client } from '../../../src/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { inputOf, step } from './contract.ts';
import { addressFromArguments, report } from './open-overload-node.ts';
import type { OverloadCommand } from './process-messages.ts';

const callers = 12;
const tickMs = 20;
const reportMs = 100;
const mostUnacknowledged = 400;

const { api } = addressFromArguments();
const clock = systemClock();
// There are several clients because one client limits how much it sends at once.
const clients = Array.from({ length: callers }, () => {
  const transport = grpcTransport({ address: api, plaintext: true, clock });
  return createClient(transport, { clock, retryFor: '2m' });
});

let next = 1;
let offered = 0;
let offeredInAll = 0;
let unacknowledged = 0;
let ids: string[] = [];
let perS = 0;
let owed = 0;
let tickedAtMs = performance.now();
let mostLeft = 0;
let done = 0;

function offer(withLong: boolean): void {
  offered++;
  offeredInAll++;
  unacknowledged++;
  (clients[next % callers] as Client)
    .submit(step, inputOf(next++, withLong))
    .then(
      ({ id }) => void ids.push(id),
      (error: Error) => report({ kind: 'failed', message: error.message }),
    )
    .finally(() => void unacknowledged--);
}

setInterval(() => {
  const nowMs = performance.now();
  owed += (perS * (nowMs - tickedAtMs)) / 1_000;
  tickedAtMs = nowMs;
  for (; owed >= 1; owed--) offer(true);
  while (unacknowledged < mostUnacknowledged && offeredInAll - done < mostLeft) offer(false);
}, tickMs);
setInterval(() => {
  if (offered > 0 || ids.length > 0) report({ kind: 'submitted', offered, ids });
  offered = 0;
  ids = [];
}, reportMs);
process.on('message', (command: OverloadCommand) => {
  if (command.kind === 'done') done += command.succeeded;
  else {
    mostLeft = command.kind === 'offerFreely' ? command.mostLeft : 0;
    perS = command.kind === 'offer' ? command.perS : 0;
    owed = 0;
  }
});
report({ kind: 'ready' });
