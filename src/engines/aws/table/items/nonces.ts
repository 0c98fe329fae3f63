import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../../../ports/clock.ts';
import type { Item } from '../schema/keys.ts';

/** Name of the attribute that holds the nonce of the item's last conditional write. */
export const nonceName = 'n';

/**
 * Makes nonces: a nonce is a value that no other write has. If the response to a successful write is lost, the SDK
 * sends the write again and its condition fails. The nonce in the stored item then shows that the item comes from
 * that same write.
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

/** Returns true if the last write of the item was the write with this nonce. */
export function isOwnWrite(current: Item | undefined, nonce: { readonly B: Uint8Array }): boolean {
  const left = current?.[nonceName]?.B;
  return left !== undefined && Buffer.compare(left, nonce.B) === 0;
}
