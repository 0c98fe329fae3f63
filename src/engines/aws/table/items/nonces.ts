import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../../../ports/clock.ts';
import type { Item } from '../schema/keys.ts';

/** The attribute that each conditional write leaves. */
export const nonceName = 'n';

/**
 * Where the answer to a write that was done is lost, the SDK's own retry meets that write and is refused. A nonce that
 * no other write has tells its author that the winner is he himself.
 */
export class Nonces {
  readonly #process: Buffer;
  #count = 0;

  constructor(clock: Clock) {
    this.#process = Buffer.from(clock.uuid().replaceAll('-', '').slice(-16), 'hex');
  }

  next(): AttributeValue & { B: Uint8Array } {
    const nonce = Buffer.alloc(this.#process.length + 4);
    this.#process.copy(nonce);
    nonce.writeUInt32LE(this.#count++ >>> 0, this.#process.length);
    return { B: nonce };
  }
}

export function isOwn(current: Item | undefined, nonce: { readonly B: Uint8Array }): boolean {
  const left = current?.[nonceName]?.B;
  return left !== undefined && Buffer.compare(left, nonce.B) === 0;
}
