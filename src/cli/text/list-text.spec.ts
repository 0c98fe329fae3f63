import { create } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import type { ListedTasks } from '../../client/tasks/list-tasks.ts';
import { TaskSchema } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { ageText, listNotes, listText } from './list-text.ts';

const untilMs = Date.UTC(2026, 6, 1);
const none: ListedTasks = {
  tasks: [],
  nextPageToken: '',
  examined: 20_000,
  examinedUntilMs: untilMs,
  isCut: false,
};
const one = [create(TaskSchema, { id: '1-a' })];
const cut = { ...none, nextPageToken: 't', isCut: true };
const head = 'ID  STATE  TYPE  KEY  AGE  ATTEMPT  LAST ERROR';

it('an empty table is printed only if all tasks of the list were examined', () => {
  expect(listText(none, undefined, untilMs)).toBe(head);
  expect(listNotes(none, undefined)).toEqual([]);
  expect(listText(cut, undefined, untilMs)).toBe(
    'No such task among 20,000 tasks accepted at 2026-07-01T00:00:00.000Z or later. Older tasks were not examined.',
  );
  expect(listText(cut, 'ann', untilMs)).toBe(
    'No such task among 20,000 tasks of the lane. The tasks behind them were not examined.',
  );
  expect(listText({ ...cut, examinedUntilMs: undefined }, undefined, untilMs)).toBe(
    'No such task among 20,000 tasks. Older tasks were not examined.',
  );
});

it('the notes below a list name the page token, and say how far a list looked that was cut', () => {
  expect(listNotes({ ...none, tasks: one, nextPageToken: 't' }, undefined)).toEqual(['more: --page-token t']);
  expect(listNotes({ ...cut, tasks: one }, undefined)).toEqual([
    'Only 20,000 tasks accepted at 2026-07-01T00:00:00.000Z or later were examined.',
    'more: --page-token t',
    'Go on with that token, or choose a time span with --accepted-from and --accepted-until.',
  ]);
  expect(listNotes({ ...cut, tasks: one }, 'ann')).toEqual([
    'Only 20,000 tasks of the lane were examined.',
    'more: --page-token t',
    'Go on with that token.',
  ]);
});

it('the age of a task is in its largest whole unit', () => {
  const ages = [-5, 999, 59_999, 60_000, 3_599_999, 3_600_000, 86_400_000 * 9].map(ageText);
  expect(ages).toEqual(['0s', '0s', '59s', '1m', '59m', '1h', '9d']);
});
