import { leasesOf, type TaskRecord, turnsOf } from './judge.ts';

/**
 * Returns the sorted start latencies of tasks in ms: the time from when a task could start (accepted, and all tasks
 * before it in its lane ended) to its start.
 */
export function startLatencies(tasks: readonly TaskRecord[]): number[] {
  const found: number[] = [];
  for (const lane of Map.groupBy(tasks, (task) => task.lane).values()) {
    for (const { task, turnAtMs } of turnsOf(lane)) {
      const first = leasesOf(task)[0];
      if (first !== undefined) found.push(first.fromMs - Math.max(task.acceptedAtMs, turnAtMs));
    }
  }
  return found.sort((a, b) => a - b);
}

/** Returns a quantile of sorted numbers, or 0 if there are none. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
