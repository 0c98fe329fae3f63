/** Counts the gRPC messages of this process's clients where grpc-js takes and gives them: whole, and without HTTP/2. */
import { Client } from '@grpc/grpc-js';

export interface MessageCounts {
  readonly messagesSent: number;
  readonly messagesReceived: number;
  /** The bytes of the messages in both directions. */
  readonly messageBytes: number;
}

type Stream = NodeJS.EventEmitter & { write(bytes: Buffer, ...more: unknown[]): boolean };
type MakeStream = (this: Client, ...parameters: never[]) => Stream;

/** Counts the messages of all bidirectional streams that clients open from now on, until `stop`. */
export class MessageCounters {
  readonly #original = Client.prototype.makeBidiStreamRequest;
  #sent = 0;
  #received = 0;
  #bytes = 0;

  constructor() {
    const counters = this;
    const make = this.#original as unknown as MakeStream;
    const counted: MakeStream = function countedStream(...parameters) {
      return counters.#count(make.apply(this, parameters));
    };
    Client.prototype.makeBidiStreamRequest = counted as unknown as Client['makeBidiStreamRequest'];
  }

  read(): MessageCounts {
    return { messagesSent: this.#sent, messagesReceived: this.#received, messageBytes: this.#bytes };
  }

  stop(): void {
    Client.prototype.makeBidiStreamRequest = this.#original;
  }

  #count(stream: Stream): Stream {
    const write = stream.write.bind(stream);
    stream.write = (bytes, ...more) => {
      this.#sent++;
      this.#bytes += bytes.length;
      return write(bytes, ...more);
    };
    stream.on('data', (bytes: Buffer) => {
      this.#received++;
      this.#bytes += bytes.length;
    });
    return stream;
  }
}
