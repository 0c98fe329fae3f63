import type { Outgoing, StreamEvents } from '../../../src/client/transport.ts';
import type { HoldfastError } from '../../../src/core/errors.ts';
import { localIdentity } from '../../../src/node/in-process.ts';
import type { CallContext, ServerStream, StreamReceiver } from '../../../src/rpc/api/api.ts';
import type { NodeApi } from '../../../src/rpc/api/create-api.ts';
import { gaveUp, keepAliveMs, type Network, unreachable } from './network.ts';
import type { ServingNode } from './node-life.ts';
import { Pipe } from './pipe.ts';
import type { SimProcess } from './process.ts';

export interface StreamKind<Out, In> {
  serve(api: NodeApi, stream: ServerStream<In>, context: CallContext): StreamReceiver<Out>;
  /** Copies a message to the node by encoding and decoding it, so that the two ends share no objects. */
  there(message: Out): Out;
  /** Copies a message to the client by encoding and decoding it. */
  back(message: In): In;
}

/**
 * The kinds of stream messages that are also sent while there is no work. The simulation cuts a stream at these messages
 * more rarely.
 */
const idleKinds = new Set(['keepAlive', 'hello', 'credit']);

/**
 * A bidirectional stream on the simulated network. It delivers messages in order, each one late, and may be cut at any
 * message. A cut loses the messages in flight, and each end notices the cut soon or when the keep-alive fails.
 */
export class SimStream<Out extends object, In extends object> implements Outgoing<Out> {
  readonly #network: Network;
  readonly #process: SimProcess;
  readonly #events: StreamEvents<In>;
  readonly #kind: StreamKind<Out, In>;
  readonly #toNode: Pipe;
  readonly #toClient: Pipe;
  readonly #clientGone = new AbortController();
  readonly #forgetProcess: () => void;
  #serving: ServingNode | undefined;
  #received: StreamReceiver<Out> | undefined;
  #forgetLife: () => void = () => {};
  #over = false;

  constructor(network: Network, process: SimProcess, kind: StreamKind<Out, In>, events: StreamEvents<In>) {
    this.#network = network;
    this.#process = process;
    this.#kind = kind;
    this.#events = events;
    this.#toNode = new Pipe(network.world);
    this.#toClient = new Pipe(network.world);
    this.#forgetProcess = process.onDeath(() => this.#clientDied());
    this.#toNode.send(() => this.#open());
  }

  send(message: Out): boolean {
    if (this.#over) return true;
    const copy = this.#kind.there(message);
    if (this.#breaksAt(message)) this.#cut();
    else this.#toNode.send(() => this.#atNode(() => this.#received?.message(copy)));
    return true;
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  end(): void {
    if (!this.#over) this.#toNode.send(() => this.#atNode(() => this.#hangUp(undefined)));
  }

  abort(error: HoldfastError = gaveUp()): void {
    if (this.#over) return;
    this.#toClient.cut();
    this.#toNode.send(() => this.#lost(error));
    this.#finish(error);
  }

  #open(): void {
    const serving = this.#network.pickServing();
    if (serving === undefined) {
      this.#toClient.send(() => this.#arriveEnd(unreachable('none is up')));
      return;
    }
    const { life } = serving;
    this.#serving = serving;
    this.#forgetLife = life.onDeath(() => this.#nodeDied());
    const stream: ServerStream<In> = {
      bufferedBytes: 0,
      send: (message) => this.#sendBack(message),
      end: (error) => {
        this.#forgetLife();
        this.#toClient.send(() => this.#arriveEnd(error));
      },
    };
    const context = {
      identity: localIdentity,
      notAfterMs: undefined,
      traceparent: '',
      signal: this.#clientGone.signal,
    };
    life.run(() => {
      this.#received = this.#kind.serve(serving.api, stream, context);
    });
  }

  #sendBack(message: In): void {
    if (!this.#alive()) return;
    const copy = this.#kind.back(message);
    if (this.#breaksAt(message)) this.#cut();
    else this.#toClient.send(() => this.#process.run(() => this.#over || this.#events.message(copy)));
  }

  #breaksAt(message: object): boolean {
    const idle = 'kind' in message && idleKinds.has(String(message.kind));
    return this.#network.world.injectFault('stream cut', idle ? 0.002 : 0.01);
  }

  #cut(): void {
    this.#toNode.cut();
    this.#toClient.cut();
    const error = unreachable('the stream was cut');
    this.#network.notifyLater(3_000, keepAliveMs.client, () => this.#arriveEnd(error));
    this.#network.notifyLater(40_000, keepAliveMs.node, () => this.#lost(error));
  }

  #clientDied(): void {
    this.#toClient.cut();
    if (this.#process.isFlushed) {
      this.#toNode.send(() => this.#lost(gaveUp()));
      return;
    }
    this.#toNode.cut();
    this.#network.notifyLater(40_000, keepAliveMs.node, () => this.#lost(gaveUp()));
  }

  /** Handles the death of the node. The messages that the node sent before may still arrive. */
  #nodeDied(): void {
    this.#toNode.cut();
    this.#network.notifyLater(3_000, keepAliveMs.client, () =>
      this.#arriveEnd(unreachable('the node is gone')),
    );
  }

  /** Runs a callback in the process of the node, unless that run of the node has ended. */
  #atNode(callback: () => unknown): void {
    this.#serving?.life.run(callback);
  }

  #alive(): boolean {
    return this.#serving?.life.dead === false;
  }

  /**
   * Closes the node's end of the stream, after the last message of the client or when the node notices that the
   * connection is gone.
   */
  #hangUp(error: HoldfastError | undefined): void {
    const received = this.#received;
    this.#received = undefined;
    received?.closed(error);
  }

  #lost(error: HoldfastError): void {
    this.#atNode(() => {
      this.#hangUp(error);
      this.#clientGone.abort(error);
    });
  }

  #arriveEnd(error: HoldfastError | undefined): void {
    this.#process.run(() => this.#finish(error));
  }

  #finish(error: HoldfastError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#forgetProcess();
    this.#events.end(error);
  }
}
