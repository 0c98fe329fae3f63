import { limits } from '../../core/limits.ts';
import { requireValid, whole } from '../../core/rules.ts';
import type { RedriveTasksRequest, RedriveTasksResponse } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { numberRule } from '../contract/untyped-values.ts';

/** Which dead tasks `client.redrive` runs again. All filters that are given must match. */
export interface RedriveOptions {
  /** The queue. Default: `default`. */
  readonly queue?: string | undefined;
  /** Only tasks of this task type, by its name. */
  readonly type?: string | undefined;
  /** Only tasks that carry this tag. */
  readonly tag?: string | undefined;
  /** Only tasks that were accepted at this time or later. */
  readonly acceptedFrom?: Date | undefined;
  /** Only tasks that were accepted before this time. */
  readonly acceptedUntil?: Date | undefined;
  /** True: the tasks are counted, and nothing is changed. Default: false. */
  readonly dryRun?: boolean | undefined;
  /** The most tasks to run again, from 1 to 1,000,000. Default: all that match. */
  readonly limit?: number | undefined;
  /** The `nextPageToken` of an earlier call, to go on behind it. */
  readonly pageToken?: string | undefined;
}

/** The answer of `client.redrive`. */
export interface Redriven {
  /** The number of dead tasks that the filters selected. */
  readonly matched: number;
  /** The number of tasks that run again; 0 for a dry run. */
  readonly redriven: number;
  /** The number of tasks that could not be redriven, for example because they expire soon. */
  readonly refused: number;
  /** The number of dead tasks that were examined. */
  readonly examined: number;
  /** Undefined: no selected task is left. Else there may be more: continue with this token. */
  readonly nextPageToken: string | undefined;
}

/** The fields of a RedriveTasks request without the page size. */
export type RedriveRequest = Omit<RedriveTasksRequest, '$typeName' | '$unknown' | 'limit'>;

/** The most tasks that one call of `client.redrive` runs again. */
export const mostRedriven = 1_000_000;
const limitRule = numberRule(whole(1, mostRedriven, 'tasks'));

/**
 * Runs the dead tasks that match again, page by page: one RedriveTasks call changes at most 1,000 of them and examines
 * about 20,000. `onPage` is called after each page with the sums so far.
 */
export async function redriveAll(
  request: RedriveRequest,
  limit: number,
  call: (request: RedriveRequest & { readonly limit: number }) => Promise<RedriveTasksResponse>,
  onPage: (done: Redriven) => void = () => {},
): Promise<Redriven> {
  requireValid('limit', limitRule, limit);
  let done = { matched: 0, redriven: 0, refused: 0, examined: 0 };
  for (let { pageToken } = request; ; ) {
    const pageLimit = Math.min(limits.redriveItems, limit - done.matched);
    const page = await call({ ...request, pageToken, limit: pageLimit });
    done = {
      matched: done.matched + page.matched,
      redriven: done.redriven + page.redriven,
      refused: done.refused + page.refused,
      examined: done.examined + page.examined,
    };
    pageToken = page.nextPageToken;
    const summed = { ...done, nextPageToken: pageToken || undefined };
    onPage(summed);
    // A page that examined no task ends the loop too, since nothing would bound the number of calls.
    if (pageToken === '' || done.matched >= limit || page.examined === 0) return summed;
  }
}
