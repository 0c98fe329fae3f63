import type { Acceptance, AcceptOutcome } from '../../ports/task-store.ts';
import type { PendingCall } from './commit-batch.ts';

type AcceptCall = PendingCall<Acceptance, AcceptOutcome>;

/** A call with more bytes than this is large: it lets small calls go before it. */
const smallBytes = 65_536;

function hasLane({ items }: AcceptCall): boolean {
  return items.some(({ submission }) => submission.orderingKey !== undefined);
}

/**
 * Returns calls in the order in which they should be committed, if not all of them fit into one commit of `mostBytes`: the oldest
 * large call, the small calls, the other large calls. So small submissions do not wait behind many large ones, and each commit
 * takes a large one. A call whose tasks have ordering keys overtakes none whose tasks have some too, since their order in a lane is
 * the order in which they came.
 */
export function smallFirst(calls: readonly AcceptCall[], mostBytes: number): readonly AcceptCall[] {
  let bytes = 0;
  for (const call of calls) bytes += call.bytes;
  if (bytes <= mostBytes) return calls;
  const small: AcceptCall[] = [];
  const large: AcceptCall[] = [];
  /** The number of small calls that came before the oldest large one. */
  let earlier = 0;
  let isLaneLarge = false;
  for (const call of calls) {
    if (large.length === 0) earlier = small.length;
    const isLarge = call.bytes > smallBytes || (isLaneLarge && hasLane(call));
    (isLarge ? large : small).push(call);
    if (isLarge) isLaneLarge ||= hasLane(call);
  }
  const [oldest, ...others] = large;
  if (oldest === undefined) return calls;
  const first = hasLane(oldest) ? small.splice(0, earlier) : [];
  return [...first, oldest, ...small, ...others];
}
