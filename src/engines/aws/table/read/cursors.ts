import { badCursor } from '../../../../core/submission/check.ts';

/** `T`: a list by time of acceptance, after a sort key. `L`: a lane, after a place. */
export type Order = 'T' | 'L';

const patterns: Readonly<Record<Order, RegExp>> = {
  T: /^[0-9a-z]{11}#[A-Za-z0-9_-]{22}[.~][0-9a-z]{1,11}$/,
  L: /^[1-9][0-9]{0,15}$/,
};

export function encodeCursor(order: Order, after: string): string {
  return Buffer.from(`${order}${after}`).toString('base64url');
}

/** Throws INVALID_ARGUMENT for what no list of this order gave. */
export function decodeCursor(order: Order, cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString();
  const after = text.slice(1);
  if (text[0] !== order || !patterns[order].test(after) || encodeCursor(order, after) !== cursor) {
    throw badCursor();
  }
  return after;
}
