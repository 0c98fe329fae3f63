import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventKind, TaskEventSchema, TaskSchema } from '../../rpc/gen/holdfast/v1/task_pb.ts';
import { table } from '../output.ts';
import { escapeControls, escapeControlsInJson, escapeControlsInLines } from './escape-controls.ts';
import { eventLine, taskText } from './task-text.ts';

const raw = 'a\nerror: forged\r\t\x1b[2J\x07\x7f\x9b31m\u202e\u2028z';
const escaped = 'a\\nerror: forged\\r\\t\\x1b[2J\\x07\\x7f\\x9b31m\\u202e\\u2028z';

describe('foreign text with control characters', () => {
  it('is printed with escapes, and other text is unchanged', () => {
    expect(escapeControls(raw)).toBe(escaped);
    expect(escapeControls('Grüße, 世界, 👩‍🔧')).toBe('Grüße, 世界, 👩‍🔧');
  });

  it('keeps its line breaks in a message of Holdfast', () => {
    expect(escapeControlsInLines('at main.ts\n  \x1b[2Jfoo')).toBe('at main.ts\n  \\x1b[2Jfoo');
  });

  it('has the same value in JSON after the escapes', () => {
    const character = fc.constantFrom(...raw, '"', '\\', 'é');
    fc.assert(
      fc.property(fc.array(character), (characters) => {
        const json = escapeControlsInJson(JSON.stringify(characters.join('')));
        expect(JSON.parse(json)).toBe(characters.join(''));
        expect(escapeControls(json)).toBe(json);
      }),
    );
  });

  it('stays on one line in a task, in its history and in a table', () => {
    const task = create(TaskSchema, { idempotencyKey: raw, lastError: raw, worker: raw });
    const lines = taskText(task).split('\n');
    expect(lines.filter((line) => line.endsWith(escaped))).toHaveLength(3);
    const event = create(TaskEventSchema, { kind: EventKind.FAILED, message: raw, worker: raw });
    expect(eventLine(event, 0)).toContain(`by ${escaped}, ${escaped}`);
    expect(table(['ERROR', 'N'], [[raw, '1']]).split('\n')).toEqual([
      `${'ERROR'.padEnd(escaped.length)}  N`,
      `${escaped}  1`,
    ]);
  });

  it('is escaped in a payload too', () => {
    const bytes = new TextEncoder().encode('{"a":"\u009b31m"}');
    const task = create(TaskSchema, { spec: { payload: { contentType: 'application/json', bytes } } });
    expect(taskText(task)).toContain('{"a":"\\x9b31m"}');
  });
});
