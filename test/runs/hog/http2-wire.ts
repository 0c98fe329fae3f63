/**
 * A connection that speaks HTTP/2 by hand. It answers the server's settings and pings, and otherwise does only what the
 * attack wants: it gives the server no window unless the attack does.
 */
import type { TLSSocket } from 'node:tls';
import {
  callHeaders,
  flags,
  frameOf,
  frameTypes,
  headBytes,
  headerBlock,
  initialWindow,
  preface,
  settingsFrame,
} from '../../fixtures/http2-frames.ts';
import type { PortName, Target } from './target.ts';

export interface WireOptions {
  readonly port?: PortName;
  /** The window of each stream that the server may fill. Default: that of HTTP/2, 65,535 bytes. */
  readonly window?: number;
}

export class Http2Wire {
  readonly #socket: TLSSocket;
  #unparsed: Buffer = Buffer.alloc(0);
  #nextStream = 1;
  /** Called for each stream that the server has ended. */
  onEnded: (stream: number) => void = () => {};

  private constructor(socket: TLSSocket, window: number | undefined) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    const settings = window === undefined ? settingsFrame() : settingsFrame([initialWindow, window]);
    socket.write(Buffer.concat([preface, settings]));
  }

  /** Opens a connection. Resolves with undefined if the server refuses it. */
  static async open(
    target: Target,
    { port = 'grpc', window }: WireOptions = {},
  ): Promise<Http2Wire | undefined> {
    const socket = await target.tls(port, { ALPNProtocols: ['h2'] });
    return socket && new Http2Wire(socket, window);
  }

  get isOpen(): boolean {
    return this.#socket.writable;
  }

  /** Begins a call, with its headers whole or, with `isWhole: false`, with a part of them. Returns its stream. */
  call(path: string, more: readonly (readonly [string, string])[] = [], isWhole = true): number {
    const block = headerBlock([...callHeaders(path), ...more]);
    return this.callWith(block, isWhole);
  }

  callWith(block: Buffer, isWhole = true): number {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    this.write(frameOf(frameTypes.headers, isWhole ? flags.endHeaders : 0, stream, block));
    return stream;
  }

  send(stream: number, bytes: Uint8Array, isLast = false): void {
    this.write(frameOf(frameTypes.data, isLast ? flags.endStream : 0, stream, bytes));
  }

  write(bytes: Uint8Array): void {
    if (this.isOpen) this.#socket.write(bytes);
  }

  /** Resolves when everything was written to the network, or when the connection has closed. */
  async drained(): Promise<void> {
    if (!this.#socket.writableNeedDrain || !this.isOpen) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done).off('close', done);
        resolve();
      };
      this.#socket.once('drain', done).once('close', done);
    });
  }

  onClose(run: () => void): void {
    if (this.#socket.destroyed) run();
    else this.#socket.once('close', run);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    let rest = this.#unparsed.length === 0 ? bytes : Buffer.concat([this.#unparsed, bytes]);
    while (rest.length >= headBytes) {
      const end = headBytes + rest.readUIntBE(0, 3);
      if (rest.length < end) break;
      const [, , , type, flag = 0] = rest;
      const stream = rest.readUInt32BE(5);
      if (type === frameTypes.settings && (flag & flags.ack) === 0)
        this.write(frameOf(frameTypes.settings, flags.ack, 0));
      if (type === frameTypes.ping && (flag & flags.ack) === 0)
        this.write(frameOf(frameTypes.ping, flags.ack, 0, rest.subarray(headBytes, end)));
      const mayEnd = type === frameTypes.headers || type === frameTypes.data;
      if (type === frameTypes.reset || (mayEnd && (flag & flags.endStream) !== 0)) this.onEnded(stream);
      rest = rest.subarray(end);
    }
    this.#unparsed = Buffer.from(rest);
  }
}
