/** Follows a list: prints each task once, as it comes into the list. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ListRequest } from '../../../client/tasks/list-tasks.ts';
import { limits } from '../../../core/limits.ts';
import type { Task } from '../../../rpc/gen/holdfast/v1/task_pb.ts';
import type { ListTasksResponse } from '../../../rpc/gen/holdfast/v1/task_service_pb.ts';

/** The time between two looks at the list. */
export const followEveryMs = 1_000;
/** The most pages of 100 tasks that one look reads of a queue, while it finds only tasks that are new. */
const mostPages = 10;
/** The most ids that are remembered, so that a list can be followed for months. */
const mostRemembered = 200_000;

type ListCall = (request: ListRequest) => Promise<ListTasksResponse>;

/** Remembers which tasks of a list were seen. */
export class ListFollower {
  readonly #seen = new Set<string>();
  readonly #call: ListCall;

  constructor(call: ListCall) {
    this.#call = call;
  }

  /** Returns the tasks that came into the list since the last look, in the order of their acceptance. */
  async unseen(requests: readonly ListRequest[]): Promise<Task[]> {
    const found: Task[] = [];
    for (const request of requests) found.push(...(await this.#unseenOf(request)));
    return found.sort((a, b) => Number(a.acceptedAtMs - b.acceptedAtMs));
  }

  async #unseenOf(request: ListRequest): Promise<Task[]> {
    const isFirst = this.#seen.size === 0;
    const found: Task[] = [];
    let { pageToken } = request;
    for (let pages = 0; pages < (isFirst ? 1 : mostPages); pages++) {
      const pageSize = isFirst ? request.pageSize : limits.pageItems;
      const page = await this.#call({ ...request, pageToken, pageSize });
      const unseen = page.tasks.filter(({ id }) => !this.#seen.has(id));
      for (const { id } of unseen) this.#remember(id);
      found.push(...unseen);
      pageToken = page.nextPageToken;
      if (pageToken === '' || unseen.length < page.tasks.length) break;
    }
    return found;
  }

  #remember(id: string): void {
    this.#seen.add(id);
    if (this.#seen.size <= mostRemembered) return;
    for (const oldest of this.#seen) {
      this.#seen.delete(oldest);
      break;
    }
  }
}

/** Waits for the next look. Returns false if the verb is to end. */
export async function untilNextLook(signal: AbortSignal): Promise<boolean> {
  await sleep(followEveryMs, undefined, { signal }).catch(() => {});
  return !signal.aborted;
}
