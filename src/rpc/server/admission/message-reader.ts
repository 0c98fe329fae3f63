/**
 * Reads the gRPC messages of one call from its HTTP/2 data. It counts each message in the call's budget as soon as the
 * message's length is known, before it keeps a byte of it, and refuses the call if the message does not fit.
 */
import type { Connection } from '../../auth/connections.ts';
import { tooLarge } from '../parse.ts';
import type { CallBytes } from './receiving-budget.ts';
import type { Refuse, RequestTimer } from './request-timer.ts';

/** The number of bytes before each gRPC message: one for the compression, four for the length. */
const headBytes = 5;
const none: Buffer[] = [];

export interface MessageReaderOptions {
  /** The connection of the call, which counts the bytes that it receives. */
  readonly connection: Pick<Connection, 'received'>;
  readonly bytes: CallBytes;
  readonly timer: RequestTimer;
  /** The maximum size of a message, in bytes, before and after decompression. */
  readonly mostBytes: number;
  /** True if the client may send more than one message. */
  readonly isStream: boolean;
  /** True if the first message must arrive in time also if it is one of a stream, since the headers are those of a stranger. */
  readonly isStranger: boolean;
  /** True if the client may compress its messages. */
  readonly inflates: boolean;
  readonly refuse: Refuse;
}

function isCompressed(message: Buffer): boolean {
  return message[0] !== 0;
}

export class MessageReader {
  readonly #options: MessageReaderOptions;
  readonly #head = Buffer.alloc(headBytes);
  /** The message that is being received, with its head, or undefined before its head is complete. */
  #message: Buffer | undefined;
  #filled = 0;
  /** The bytes that the budget counts for the message that is being received. */
  #partialBytes = 0;
  /** The bytes that the budget counts for complete messages that the call's handler does not have yet. */
  #completeBytes = 0;
  /** The bytes of complete messages as their handler has them, decompressed. */
  #keptBytes = 0;
  /** The number of complete messages that are being decompressed. */
  #inflating = 0;
  #isTimed = false;
  #hasEnded = false;
  #isClosed = false;

  constructor(options: MessageReaderOptions) {
    this.#options = options;
    // A call with one message is unfinished from its headers on, a stream of an identity only while one of its messages is.
    if (!options.isStream || options.isStranger) this.#time();
  }

  /** Returns the complete messages, each with its head. Returns none once the call was refused or closed. */
  write(chunk: Buffer): Buffer[] {
    const messages: Buffer[] = [];
    this.#options.connection.received(chunk.length);
    for (let at = 0; at < chunk.length && !this.#isClosed; ) {
      const copied = chunk.copy(this.#message ?? this.#head, this.#filled, at);
      at += copied;
      this.#filled += copied;
      if (this.#message === undefined && this.#filled === headBytes) this.#begin();
      if (this.#message !== undefined && this.#filled === this.#message.length)
        messages.push(this.#complete());
    }
    if (this.#isClosed) return none;
    if (this.#options.inflates) this.#inflating += messages.filter(isCompressed).length;
    this.#giveBack();
    if (this.#filled > 0) this.#time();
    return messages;
  }

  /** Called when a message has been decompressed to this length, or could not be. */
  inflated(length: number): void {
    this.#inflating--;
    this.#keptBytes += length;
    this.#giveBack();
  }

  /** Called when the client has sent everything. */
  end(): void {
    this.#hasEnded = true;
    this.#untime();
    this.#giveBack();
  }

  /** Drops what was received, receives nothing more, and gives back all bytes of the call. */
  close(): void {
    this.#isClosed = true;
    this.#message = undefined;
    this.end();
  }

  #begin(): void {
    const { bytes, mostBytes, inflates, refuse } = this.#options;
    const length = this.#head.readUInt32BE(1);
    const counted = headBytes + length + (inflates && isCompressed(this.#head) ? mostBytes : 0);
    const refusal = length > mostBytes ? tooLarge(length, mostBytes) : bytes.take(counted);
    if (refusal !== undefined) {
      this.close();
      refuse(refusal);
      return;
    }
    this.#partialBytes = counted;
    this.#message = Buffer.allocUnsafe(headBytes + length);
    this.#head.copy(this.#message);
  }

  #complete(): Buffer {
    const message = this.#message as Buffer;
    this.#message = undefined;
    this.#filled = 0;
    this.#completeBytes += this.#partialBytes;
    this.#partialBytes = 0;
    const { isStream, inflates } = this.#options;
    if (!(inflates && isCompressed(message))) this.#keptBytes += message.length;
    if (isStream) this.#untime();
    return message;
  }

  /**
   * Gives back the bytes of complete messages. Those of a stream are then parsed and handled in this turn of the event
   * loop. The message of a unary call counts until the call is closed, since the call may wait for its turn or for the store.
   */
  #giveBack(): void {
    const { bytes, isStream } = this.#options;
    if (this.#inflating > 0) return;
    if (this.#isClosed) bytes.close();
    else if (this.#completeBytes > 0 && (isStream || this.#hasEnded)) {
      bytes.giveBack(this.#completeBytes - (isStream ? 0 : Math.min(this.#keptBytes, this.#completeBytes)));
      this.#completeBytes = 0;
      this.#keptBytes = 0;
    }
  }

  #time(): void {
    if (this.#isTimed) return;
    this.#isTimed = true;
    this.#options.timer.begin(this.#options.refuse);
  }

  #untime(): void {
    if (!this.#isTimed) return;
    this.#isTimed = false;
    this.#options.timer.end(this.#options.refuse);
  }
}
