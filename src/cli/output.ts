import { styleText } from 'node:util';
import type { HoldfastError } from '../core/errors.ts';
import { formatDuration } from '../core/rules.ts';
import { errorJson } from './text/error-json.ts';
import { escapeControls, escapeControlsInJson, escapeControlsInLines } from './text/escape-controls.ts';

/**
 * The output of a verb: text for people, or one JSON value for programs (`--json`). Results go to stdout, all else to
 * stderr.
 */
export interface Output {
  readonly json: boolean;
  result(value: unknown, text: () => string): void;
  /** Prints one of the results of a verb that goes on: a line of text, or with `--json` a JSON value on a line. */
  line(value: unknown, text: () => string): void;
  note(text: string): void;
  failure(error: HoldfastError): void;
}

/** Replaces the bigints and bytes of protobuf messages and events, which JSON does not have. */
function jsonReplacer(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return value;
}

export function createOutput(json: boolean): Output {
  const result = (value: unknown, text: () => string): void => {
    process.stdout.write(
      `${json ? escapeControlsInJson(JSON.stringify(value, jsonReplacer)) : escapeControlsInLines(text())}\n`,
    );
  };
  return {
    json,
    result,
    line: result,
    note(text) {
      if (!json) process.stderr.write(`${escapeControlsInLines(text)}\n`);
    },
    failure(error) {
      if (json) {
        process.stdout.write(`${escapeControlsInJson(JSON.stringify({ error: errorJson(error) }))}\n`);
        return;
      }
      printFailure(error.message, error.help);
    },
  };
}

/** Prints an error on standard error: the message, and below it the help text. */
export function printFailure(message: string, help: string | undefined): void {
  const red = styleText('red', 'error', { stream: process.stderr });
  process.stderr.write(
    `${red}: ${escapeControlsInLines(message)}${help ? `\n  ${escapeControlsInLines(help)}` : ''}\n`,
  );
}

/** Formats a table whose columns are as wide as their widest cell. */
export function table(head: readonly string[], cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(escapeControls));
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)].join('\n');
}

/** Formats a time for people; `–` if there is none, or if no calendar has it: a back end or a server may send any number. */
export function time(ms: bigint | number): string {
  const date = new Date(Number(ms));
  return Number(ms) === 0 || Number.isNaN(date.getTime()) ? '–' : date.toISOString();
}

/** Formats a field as one line: its name in words, then its value. Times and durations (…Ms) are written for people. */
export function labelled(name: string, value: unknown): string {
  const label = name
    .replace(/(At)?Ms$/, '')
    .replace(/([A-Z])/g, ' $1')
    .toLowerCase();
  return `${label.padEnd(14)} ${escapeControls(valueText(name, value))}`;
}

/**
 * Formats a value for people: …AtMs, …BeforeMs and …AfterMs as a time, other …Ms as a duration in the largest whole
 * unit.
 */
function valueText(name: string, value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') {
    if (/(At|Before|After)Ms$/.test(name)) return time(value);
    if (name.endsWith('Ms')) return formatDuration(Number(value));
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
