import { badCursor } from '../../../../core/submission/check.ts';

/**
 * Order of a list. `T` is by time of acceptance, and the cursor holds a sort key. `L` is the order of a lane, and the
 * cursor holds a place.
 */
export type Order = 'T' | 'L';

const patterns: Readonly<Record<Order, RegExp>> = {
  T: /^[0-9a-z]{11}#[A-Za-z0-9_-]{22}[.~][0-9a-z]{1,11}$/,
  L: /^[1-9][0-9]{0,15}$/,
};

export function encodeCursor(order: Order, after: string): string {
  return Buffer.from(`${order}${after}`).toString('base64url');
}

/** Decodes a cursor. Throws INVALID_ARGUMENT if no list of this order returned it. */
export function decodeCursor(order: Order, cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString();
  const after = text.slice(1);
  if (text[0] !== order || !patterns[order].test(after) || encodeCursor(order, after) !== cursor) {
    throw badCursor();
  }
  return after;
}
