import { create } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { limits } from '../../core/limits.ts';
import { TaskSchema } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import {
  ListTasksRequestSchema,
  ListTasksResponseSchema,
} from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { type ListedTasks, type ListRequest, listTasks } from './list-tasks.ts';

interface ServerPage {
  readonly ids?: readonly string[];
  readonly examined: number;
  readonly untilMs?: number;
}

/** Lists up to 3 tasks from a server that answers with the given pages, the last one repeatedly or as the end. */
async function listFrom(pages: readonly ServerPage[], then: 'end' | 'repeat') {
  const requests: ListRequest[] = [];
  const listed: ListedTasks = await listTasks(
    create(ListTasksRequestSchema, { queue: 'q', tag: 'rare', pageSize: 3, pageToken: 'from' }),
    async (request) => {
      const i = requests.push(request) - 1;
      const page = pages[Math.min(i, pages.length - 1)];
      return create(ListTasksResponseSchema, {
        tasks: page?.ids?.map((id) => create(TaskSchema, { id })) ?? [],
        nextPageToken: then === 'end' && i === pages.length - 1 ? '' : `t${i}`,
        examined: page?.examined ?? 0,
        examinedUntilMs: BigInt(page?.untilMs ?? 0),
      });
    },
  );
  const { tasks, ...rest } = listed;
  return { ...rest, ids: tasks.map(({ id }) => id), requests };
}

it('a list reads on with the same filters until its page is full, and requests only the tasks that are still wanted', async () => {
  const pages = [
    { examined: 1_000, untilMs: 9 },
    { ids: ['a', 'b'], examined: 1_000, untilMs: 8 },
    { ids: ['c'], examined: 4, untilMs: 7 },
  ];
  const { requests, ...listed } = await listFrom(pages, 'repeat');
  expect(listed).toEqual({
    ids: ['a', 'b', 'c'],
    nextPageToken: 't2',
    examined: 2_004,
    examinedUntilMs: 7,
    isCut: false,
  });
  expect(requests.map(({ pageSize, pageToken }) => [pageSize, pageToken])).toEqual([
    [3, 'from'],
    [3, 't0'],
    [1, 't1'],
  ]);
  expect(requests.every(({ queue, tag }) => queue === 'q' && tag === 'rare')).toBe(true);
});

it('a list that ends before its page is full is not cut, and keeps the time of the last task that was examined', async () => {
  const listed = await listFrom([{ ids: ['a'], examined: 1_000, untilMs: 9 }, { examined: 0 }], 'end');
  expect(listed).toMatchObject({ ids: ['a'], nextPageToken: '', examinedUntilMs: 9, isCut: false });
});

it('a list stops at its bound of examined tasks, says that it is cut, and has the token to continue', async () => {
  const { requests, ...listed } = await listFrom([{ examined: 1_000, untilMs: 9 }], 'repeat');
  expect(requests).toHaveLength(limits.listExamined / 1_000);
  expect(listed).toEqual({
    ids: [],
    nextPageToken: 't19',
    examined: limits.listExamined,
    examinedUntilMs: 9,
    isCut: true,
  });
});

it('a list stops if a server examines no task and still names a next page', async () => {
  const { requests, ...listed } = await listFrom([{ examined: 0 }], 'repeat');
  expect(requests).toHaveLength(1);
  expect(listed).toMatchObject({ nextPageToken: 't0', examinedUntilMs: undefined, isCut: true });
});
