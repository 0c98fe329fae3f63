import { expect, it } from 'vitest';
import { HistoryFault } from '../../rpc/gen/holdfast/v1/task_service_pb.ts';
import { tamperError, wholeText } from './verify-text.ts';

const { CHANGED, MISSING, UNCOUNTED } = HistoryFault;
/** A history fault that a later version of the server reports and that this command does not know. */
const unknownFault = 9 as HistoryFault;

it.each([
  [CHANGED, 3, 'event 3 of 6 was changed, or what followed it was replaced'],
  [CHANGED, 6, 'event 6 of 6 was changed, or what followed it was cut off'],
  [MISSING, 2, 'event 2 of 6 is missing'],
  [UNCOUNTED, 7, 'event 7 exists, but the task counts 6 events: its head was set back or removed'],
  [unknownFault, 4, 'event 4 of 6 differs from the one that was written'],
])('an error describes a history with fault %s at event %s', (fault, faultVersion, description) => {
  const error = tamperError('1-a', { events: 6, fault, faultVersion });
  expect(error).toMatchObject({ code: 'DATA_LOSS', taskId: '1-a', violations: [{ description }] });
  expect(error?.message).toBe(`The history differs from the one that was written: ${description}.`);
});

it('an unchanged history gives no error, and the printed text has the number of events', () => {
  const whole = { fault: HistoryFault.UNSPECIFIED, faultVersion: 0 };
  expect(tamperError('1-a', { ...whole, events: 6 })).toBeUndefined();
  expect([1, 6].map((events) => wholeText({ ...whole, events }))).toEqual([
    'whole, 1 event',
    'whole, 6 events',
  ]);
});
