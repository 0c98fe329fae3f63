import { expect, it } from 'vitest';
import { HistoryFault } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { tampered, wholeText } from './verify-text.ts';

const { CHANGED, MISSING, UNCOUNTED } = HistoryFault;
/** Of a server that knows more faults than this command. */
const later = 9 as HistoryFault;

it.each([
  [CHANGED, 3, 'event 3 of 6 was changed, or what followed it was replaced'],
  [CHANGED, 6, 'event 6 of 6 was changed, or what followed it was cut off'],
  [MISSING, 2, 'event 2 of 6 is missing'],
  [UNCOUNTED, 7, 'event 7 is there, but the task counts 6: its head was set back or removed'],
  [later, 4, 'event 4 of 6 is not as it was written'],
])('a fault of kind %s at event %s is told in words', (fault, faultAt, words) => {
  const error = tampered('1-a', { events: 6, fault, faultAt });
  expect(error).toMatchObject({ code: 'DATA_LOSS', taskId: '1-a', violations: [{ description: words }] });
  expect(error?.message).toBe(`The history is not what was written: ${words}.`);
});

it('a whole one is no error, and says how many events it has', () => {
  const whole = { fault: HistoryFault.UNSPECIFIED, faultAt: 0 };
  expect(tampered('1-a', { ...whole, events: 6 })).toBeUndefined();
  expect([1, 6].map((events) => wholeText({ ...whole, events }))).toEqual([
    'whole, 1 event',
    'whole, 6 events',
  ]);
});
