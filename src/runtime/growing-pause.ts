/** How long something that failed is left alone: twice as long with each failure. */
export interface Pause {
  readonly ms: number;
  readonly untilMs: number;
}

export interface PauseRange {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** `before`: the pause that the failure before this one was followed by. */
export function nextPause(
  before: Pause | undefined,
  nowMs: number,
  { firstMs, longestMs }: PauseRange,
): Pause {
  const ms = Math.min(longestMs, Math.max(firstMs, 2 * (before?.ms ?? 0)));
  return { ms, untilMs: nowMs + ms };
}
