import { badCursor } from '../../../../core/submission/check.ts';

/**
 * Order of a list of tasks. `T` is by time of acceptance; the page cursor then holds a sort key of the index. `L` is
 * the order of a lane; the page cursor then holds a place in the lane.
 */
export type Order = 'T' | 'L';

const patterns: Readonly<Record<Order, RegExp>> = {
  T: /^[0-9a-z]{11}#[A-Za-z0-9_-]{22}[.~][0-9a-z]{1,11}$/,
  L: /^[1-9][0-9]{0,15}$/,
};

export function encodeCursor(order: Order, after: string): string {
  return Buffer.from(`${order}${after}`).toString('base64url');
}

/** Decodes the cursor of a list page. Throws INVALID_ARGUMENT if no list in this order returned the cursor. */
export function decodeCursor(order: Order, cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString();
  const after = text.slice(1);
  if (text[0] !== order || !patterns[order].test(after) || encodeCursor(order, after) !== cursor) {
    throw badCursor();
  }
  return after;
}
