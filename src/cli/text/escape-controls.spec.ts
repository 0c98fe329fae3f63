import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventKind, TaskEventSchema, TaskSchema } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { table } from '../output.ts';
import { visible, visibleJson, visibleLines } from './escape-controls.ts';
import { eventLine, taskText } from './task-text.ts';

const wild = 'a\nerror: forged\r\t\x1b[2J\x07\x7f\x9b31m\u202e\u2028z';
const tame = 'a\\nerror: forged\\r\\t\\x1b[2J\\x07\\x7f\\x9b31m\\u202e\\u2028z';

describe('text of strangers', () => {
  it('is shown with escapes for what a terminal would obey', () => {
    expect(visible(wild)).toBe(tame);
    expect(visible('Grüße, 世界, 👩‍🔧')).toBe('Grüße, 世界, 👩‍🔧');
  });

  it('keeps the lines of a message of ours', () => {
    expect(visibleLines('at main.ts\n  \x1b[2Jfoo')).toBe('at main.ts\n  \\x1b[2Jfoo');
  });

  it('is the same JSON', () => {
    const hidden = fc.constantFrom(...wild, '"', '\\', 'é');
    fc.assert(
      fc.property(fc.array(hidden), (characters) => {
        const json = visibleJson(JSON.stringify(characters.join('')));
        expect(JSON.parse(json)).toBe(characters.join(''));
        expect(visible(json)).toBe(json);
      }),
    );
  });

  it('stays on its line in show, in its history and in a table', () => {
    const task = create(TaskSchema, { idempotencyKey: wild, lastError: wild, worker: wild });
    const lines = taskText(task).split('\n');
    expect(lines.filter((line) => line.endsWith(tame))).toHaveLength(3);
    const event = create(TaskEventSchema, { kind: EventKind.FAILED, message: wild, worker: wild });
    expect(eventLine(event, 0)).toContain(`by ${tame}, ${tame}`);
    expect(table(['ERROR', 'N'], [[wild, '1']]).split('\n')).toEqual([
      `${'ERROR'.padEnd(tame.length)}  N`,
      `${tame}  1`,
    ]);
  });

  it('in a payload is shown likewise', () => {
    const bytes = new TextEncoder().encode('{"a":"\u009b31m"}');
    const task = create(TaskSchema, { spec: { payload: { contentType: 'application/json', bytes } } });
    expect(taskText(task)).toContain('{"a":"\\x9b31m"}');
  });
});
