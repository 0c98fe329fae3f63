import type { Outgoing, StreamEvents } from '../../../src/client/transport.ts';
import type { HoldfastError } from '../../../src/core/errors.ts';
import { localIdentity } from '../../../src/node/in-process.ts';
import type { CallContext, Received, ServerStream } from '../../../src/rpc/api/api.ts';
import type { NodeApi } from '../../../src/rpc/api/create-api.ts';
import { gaveUp, type Network, pingedMs, unreachable } from './network.ts';
import { Pipe } from './pipe.ts';
import type { SimProcess } from './process.ts';
import type { Serving } from './serving.ts';

export interface StreamKind<Out, In> {
  serve(api: NodeApi, stream: ServerStream<In>, context: CallContext): Received<Out>;
  /** What arrives of a message, at the node and at the client. */
  there(message: Out): Out;
  back(message: In): In;
}

const chatter = new Set(['keepAlive', 'hello', 'credit']);

/**
 * A stream both ways: in order, each message late, until it is cut at any message. Then what is under way is lost,
 * and each end notices when it does, or only by the other's silence.
 */
export class SimStream<Out extends object, In extends object> implements Outgoing<Out> {
  readonly #network: Network;
  readonly #process: SimProcess;
  readonly #events: StreamEvents<In>;
  readonly #kind: StreamKind<Out, In>;
  readonly #toNode: Pipe;
  readonly #toClient: Pipe;
  readonly #gone = new AbortController();
  readonly #forgetProcess: () => void;
  #serving: Serving | undefined;
  #received: Received<Out> | undefined;
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
    else this.#toNode.send(() => this.#alive() && this.#received?.message(copy));
    return true;
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  end(): void {
    if (!this.#over) this.#toNode.send(() => this.#alive() && this.#hangUp(undefined));
  }

  abort(error: HoldfastError = gaveUp()): void {
    if (this.#over) return;
    this.#toClient.cut();
    this.#toNode.send(() => this.#alive() && this.#lost(error));
    this.#finish(error);
  }

  #open(): void {
    const serving = this.#network.serving();
    if (serving === undefined) {
      this.#toClient.send(() => this.#arriveEnd(unreachable('none is up')));
      return;
    }
    const { life } = serving;
    this.#serving = serving;
    this.#forgetLife = life.onDeath(() => this.#nodeDied());
    const stream: ServerStream<In> = {
      bufferedBytes: 0,
      send: (message) => this.#answer(message),
      end: (error) => {
        this.#forgetLife();
        this.#toClient.send(() => this.#arriveEnd(error));
      },
    };
    const context = {
      identity: localIdentity,
      notAfterMs: undefined,
      traceparent: '',
      signal: this.#gone.signal,
    };
    this.#received = this.#kind.serve(serving.api, stream, context);
  }

  #answer(message: In): void {
    if (!this.#alive()) return;
    const copy = this.#kind.back(message);
    if (this.#breaksAt(message)) this.#cut();
    else this.#toClient.send(() => this.#process.run(() => this.#over || this.#events.message(copy)));
  }

  #breaksAt(message: object): boolean {
    const idle = 'kind' in message && chatter.has(String(message.kind));
    return this.#network.world.strikes('stream cut', idle ? 0.002 : 0.01);
  }

  #cut(): void {
    this.#toNode.cut();
    this.#toClient.cut();
    const error = unreachable('the stream was cut');
    this.#network.noticed(3_000, pingedMs.client, () => this.#arriveEnd(error));
    this.#network.noticed(40_000, pingedMs.node, () => this.#lost(error));
  }

  #clientDied(): void {
    this.#toNode.cut();
    this.#toClient.cut();
    this.#network.noticed(40_000, pingedMs.node, () => this.#lost(gaveUp()));
  }

  /** What it said before may still arrive. */
  #nodeDied(): void {
    this.#toNode.cut();
    this.#network.noticed(3_000, pingedMs.client, () => this.#arriveEnd(unreachable('the node is gone')));
  }

  #alive(): boolean {
    return this.#serving?.life.dead === false;
  }

  /** The client has said its last word, or its connection is known to be gone. */
  #hangUp(error: HoldfastError | undefined): void {
    const received = this.#received;
    this.#received = undefined;
    received?.closed(error);
  }

  #lost(error: HoldfastError): void {
    if (!this.#alive()) return;
    this.#hangUp(error);
    this.#gone.abort(error);
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
