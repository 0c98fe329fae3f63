import { styleText } from 'node:util';
import type { HoldfastError } from '../core/errors.ts';
import { told } from '../rpc/api/validation/rules.ts';
import { visible, visibleJson, visibleLines } from './text/escape-controls.ts';

/** Where a verb writes: people read text, programs read one JSON value (`--json`). Results go to stdout, the rest to stderr. */
export interface Output {
  readonly json: boolean;
  result(value: unknown, text: () => string): void;
  note(text: string): void;
  failure(error: HoldfastError): void;
}

/** protobuf and events carry bigints and bytes; JSON has neither. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return value;
}

export function createOutput(json: boolean): Output {
  return {
    json,
    result(value, text) {
      process.stdout.write(`${json ? visibleJson(JSON.stringify(value, plain)) : text()}\n`);
    },
    note(text) {
      if (!json) process.stderr.write(`${text}\n`);
    },
    failure(error) {
      if (json) {
        const { code, reason, message, help, taskId, violations } = error;
        const told = { error: { code, reason, message, help, taskId, violations } };
        process.stdout.write(`${visibleJson(JSON.stringify(told))}\n`);
        return;
      }
      tellFailure(error.message, error.help);
    },
  };
}

/** What happened, and below it what to do; for whoever reads standard error. */
export function tellFailure(message: string, help: string | undefined): void {
  const red = styleText('red', 'error', { stream: process.stderr });
  process.stderr.write(`${red}: ${visibleLines(message)}${help ? `\n  ${visibleLines(help)}` : ''}\n`);
}

/** Columns padded to their widest cell. */
export function table(head: readonly string[], cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(visible));
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)].join('\n');
}

export function time(ms: bigint | number): string {
  return Number(ms) === 0 ? '–' : new Date(Number(ms)).toISOString();
}

/** A field on a line of its own: its name in words, times and lengths (…Ms) as people read them. */
export function labelled(name: string, value: unknown): string {
  const label = name
    .replace(/(At)?Ms$/, '')
    .replace(/([A-Z])/g, ' $1')
    .toLowerCase();
  return `${label.padEnd(14)} ${visible(shown(name, value))}`;
}

/** Lengths in the largest unit that is whole, and times: those that something is at, before or after. */
function shown(name: string, value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') {
    if (/(At|Before|After)Ms$/.test(name)) return time(value);
    if (name.endsWith('Ms')) return told(Number(value));
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
