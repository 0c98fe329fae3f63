/** Callers: they offer tasks at a steady pace over gRPC, whatever becomes of them, by the SDK that heeds RetryInfo. */
import { createClient } from '../../../src/client/client.ts';
import { grpcTransport } from '../../../src/client/grpc/transport.ts';
import type { Client } from '../../../src/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { inputOf, step } from './contract.ts';
import { given, tell } from './open-overload-node.ts';
import type { ToChild } from './process-messages.ts';

const callers = 12;
const tickMs = 20;
const tellMs = 100;
const mostUnacknowledged = 400;

const { address } = given();
const clock = systemClock();
// One client sends only so much at once; a server meets many.
const clients = Array.from({ length: callers }, () => {
  const transport = grpcTransport({ address, plaintext: true, clock });
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
      (error: Error) => tell({ kind: 'failed', message: error.message }),
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
  if (offered > 0 || ids.length > 0) tell({ kind: 'submitted', offered, ids });
  offered = 0;
  ids = [];
}, tellMs);
process.on('message', (message: ToChild) => {
  if (message.kind === 'done') done += message.succeeded;
  else {
    mostLeft = message.kind === 'offerFreely' ? message.mostLeft : 0;
    perS = message.kind === 'offer' ? message.perS : 0;
    owed = 0;
  }
});
tell({ kind: 'ready' });
