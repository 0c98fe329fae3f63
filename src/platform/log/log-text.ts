/**
 * Formats log lines for people at a terminal: the time, the level, the message, the fields, and below them the help and the
 * error. Foreign text cannot begin a line of its own: its control characters are escaped, and its stack is indented.
 */
import { styleText } from 'node:util';
import { clipChars } from '../../core/clip.ts';
import { escapeControls } from '../escape-controls.ts';
import { levelNumbers } from './log-settings.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The fields that come first, in this order. The others follow as the line has them, and then those of `last`. */
const first = ['queue', 'type', 'task_id', 'attempt', 'worker'];
const last = ['trace_id'];
/** The fields that are not shown as such: each has its own place, or is for programs only. */
const notShown = new Set(['level', 'time', 'pid', 'hostname', 'msg', 'err', 'help', 'span_id']);

const levelNames = new Map<unknown, string>(
  Object.entries(levelNumbers).map(([name, value]) => [value, name]),
);

/** The longest shown value of a field, in characters. */
const valueChars = 240;
/** The deepest cause of an error that is shown. */
const mostCauses = 8;
const indent = '    ';

const styles: Readonly<Record<string, 'red' | 'yellow' | 'dim'>> = {
  ...{ trace: 'dim', debug: 'dim', warn: 'yellow' },
  ...{ error: 'red', fatal: 'red' },
};

/** Returns a line of the log, which is JSON, as text. Colours are used where standard error shows them. */
export function logText(line: string): string {
  const fields = parsed(line);
  const level = levelNames.get(fields.level) ?? '';
  const style = styles[level];
  const padded = level.padEnd(5);
  const shown = style === undefined ? padded : styleText(style, padded, { stream: process.stderr });
  const message = escapeControls(typeof fields.msg === 'string' ? fields.msg : '');
  const head = [`${timeOf(fields.time)} ${shown}`, message, pairs(fields)].filter((part) => part !== '');
  const below = [...helpLines(fields), ...errorLines(fields.err, 0)].map((text) => `\n${indent}${text}`);
  return `${head.join('  ')}${below.join('')}\n`;
}

function parsed(line: string): Fields {
  try {
    const fields: unknown = JSON.parse(line);
    if (typeof fields === 'object' && fields !== null) return fields as Fields;
  } catch {}
  return { msg: line.trimEnd() };
}

/** Returns the local time of day. A terminal shows the lines of now; lines that are kept have the whole time. */
function timeOf(time: unknown): string {
  const at = new Date(typeof time === 'number' ? time : Number.NaN);
  if (Number.isNaN(at.getTime())) return '--:--:--.---';
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
  return `${day}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

/** Returns the fields as `name=value`. */
function pairs(fields: Fields): string {
  const isPlaced = (name: string): boolean =>
    notShown.has(name) || first.includes(name) || last.includes(name);
  const others = Object.keys(fields).filter((name) => !isPlaced(name));
  return [...first, ...others, ...last].flatMap((name) => pair(name, fields[name])).join(' ');
}

function pair(name: string, value: unknown): string[] {
  if (value === undefined || value === null) return [];
  return [`${escapeControls(name)}=${clipped(valueText(value))}`];
}

function valueText(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  const isList =
    Array.isArray(value) && value.every((one) => typeof one === 'string' && /^[^\s",]+$/.test(one));
  return isList ? value.join(',') : JSON.stringify(value);
}

function clipped(text: string): string {
  return escapeControls(text.length > valueChars ? `${clipChars(text, valueChars)}…` : text);
}

function helpLines({ help }: Fields): string[] {
  return typeof help === 'string' ? [`help: ${escapeControls(help)}`] : [];
}

/** Returns the lines of an error: its stack, or else its name and its message, then its help, its fields and its cause. */
function errorLines(err: unknown, depth: number): string[] {
  if (err === undefined || err === null || depth > mostCauses) return [];
  if (typeof err !== 'object') return [clipped(String(err))];
  const { type, name, message, stack, cause, help, ...others } = err as Fields;
  const { code, reason, ...own } = others;
  const hasStack = typeof stack === 'string';
  const called = [type ?? name, ...(hasStack ? [] : [code, reason])].filter((one) => typeof one === 'string');
  const text = typeof message === 'string' ? message : '';
  const title = `${called.join(' ') || 'error'}: ${text}`;
  // The stack begins with the message as it was when the error was made.
  const whole = !hasStack ? title : stack.includes(text) ? stack : `${title}\n${stack}`;
  const [line = '', ...more] = whole.split('\n').map(escapeControls);
  const fields = Object.entries(hasStack ? others : own)
    .flatMap(([field, value]) => pair(field, value))
    .join(' ');
  return [
    `${depth === 0 ? '' : 'caused by '}${line}`,
    ...more,
    ...helpLines({ help }),
    ...(fields === '' ? [] : [fields]),
    ...errorLines(cause, depth + 1),
  ];
}
