import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logText } from './log-text.ts';

const time = new Date(2026, 0, 2, 3, 4, 5, 67).getTime();
const textOf = (fields: object): string => logText(`${JSON.stringify({ level: 30, time, ...fields })}\n`);

describe('a log line as text', () => {
  it('has the local time, the level, the message, and the fields of a task in a fixed order before the others', () => {
    const line = textOf({
      ...{ pid: 7, hostname: 'box', why: 'the user asked', trace_id: 'abc', span_id: 'def', attempt: 2 },
      ...{ oldest: ['a', 'b'], task_id: 't1', queue: 'mail', nothing: null, msg: 'an attempt stopped' },
    });
    expect(line).toBe(
      '03:04:05.067 info   an attempt stopped  queue=mail task_id=t1 attempt=2 why="the user asked" oldest=a,b trace_id=abc\n',
    );
  });

  it('has the stack of an error and of its cause, its own fields and the help below, each line indented', () => {
    const cause = { type: 'Error', message: 'closed', stack: 'Error: closed\n    at bank.ts:1' };
    const err = {
      type: 'TypeError',
      message: 'no card',
      stack: 'TypeError: no card\n    at pay.ts:2',
      code: 'E1',
      cause,
    };
    expect(textOf({ level: 50, msg: 'it failed', help: 'Call the bank.', err })).toBe(
      [
        '03:04:05.067 error  it failed',
        '    help: Call the bank.',
        '    TypeError: no card',
        '        at pay.ts:2',
        '    code=E1',
        '    caused by Error: closed',
        '        at bank.ts:1',
        '',
      ].join('\n'),
    );
  });

  it('has the code, the reason, the message and the help of an error without a stack', () => {
    const err = {
      code: 'UNAVAILABLE',
      reason: 'UNREACHABLE',
      message: 'No answer.',
      help: 'Check the address.',
    };
    expect(textOf({ level: 40, msg: 'no server', err })).toBe(
      '03:04:05.067 warn   no server\n    UNAVAILABLE UNREACHABLE: No answer.\n    help: Check the address.\n',
    );
  });

  it('shows the message of an error whose stack does not have it', () => {
    const err = { type: 'Error', message: 'changed later', stack: 'Error: at first\n    at a.ts:1' };
    expect(textOf({ msg: 'x', err })).toContain(
      '    Error: changed later\n    Error: at first\n        at a.ts:1\n',
    );
  });

  it('escapes the control characters of foreign text, so that it can neither forge a line nor change the terminal', () => {
    const raw = 'a\n03:04:05.067 error  forged\r\x1b[2J\x9b31m\u202e\u2028z';
    const err = {
      type: raw,
      message: raw,
      stack: `Error: ${raw}`,
      [raw]: raw,
      help: raw,
      cause: { message: raw },
    };
    const text = textOf({
      msg: raw,
      [raw]: raw,
      task_id: raw,
      list: [raw],
      deep: { [raw]: raw },
      help: raw,
      err,
    });
    expect(text).not.toMatch(/[^\P{Cc}\n]|[\u2028\u202e]/u);
    const lines = text.trimEnd().split('\n');
    expect(lines.slice(1).filter((line) => !line.startsWith('    '))).toEqual([]);
  });

  it('clips long values, and shows a line that is no JSON as its message', () => {
    expect(textOf({ msg: 'x', value: 'y'.repeat(10_000) }).length).toBeLessThan(400);
    expect(logText('no JSON\n')).toContain('no JSON');
    expect(logText('null\n')).toContain('null');
  });

  it('is made of any fields and any error without a failure, and only its first line is not indented', () => {
    const error = fc.record({ message: fc.jsonValue(), stack: fc.jsonValue(), type: fc.jsonValue() });
    const fields = fc.record({
      msg: fc.jsonValue(),
      err: fc.oneof(error, fc.jsonValue()),
      other: fc.jsonValue(),
    });
    fc.assert(
      fc.property(fields, (some) => {
        const [, ...below] = logText(JSON.stringify(some)).trimEnd().split('\n');
        expect(below.filter((line) => !line.startsWith('    '))).toEqual([]);
      }),
    );
  });
});
