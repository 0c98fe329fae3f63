/** Why a module could not be loaded, in the few lines that matter: what, where, and what to do. */
import { spawnSync } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shown } from './find.ts';

export interface WhyNotLoaded {
  readonly what: string;
  /** Indented lines: the place, and the code there where it is known. Empty where unknown. */
  readonly where: string;
  readonly help: string;
}

const mostLines = 6;
const checkMs = 5_000;

export function whyNotLoaded(thrown: unknown, lastLoaded: string): WhyNotLoaded {
  if (!(thrown instanceof Error)) {
    return {
      what: `it threw ${String(thrown)}`,
      where: indented(shown(lastLoaded)),
      help: 'Throw an Error instead.',
    };
  }
  const [head, frames] = parts(thrown.stack ?? '');
  const { code } = thrown as NodeJS.ErrnoException;
  const what = oneLine(thrown.message === '' ? thrown.name : thrown.message);
  if (code === 'ERR_MODULE_NOT_FOUND')
    return { what, where: indented(frames), help: helpMissing(thrown.message) };
  const { help } = thrown as { help?: unknown };
  if (typeof help === 'string') return { what, where: indented(frames), help };
  if (!(thrown instanceof SyntaxError)) {
    return {
      what,
      where: indented(frames),
      help: 'It was thrown while the module was loaded; correct it there.',
    };
  }
  const where = indented(head !== '' ? head : checked(lastLoaded));
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX')
    return { what, where, help: 'Node runs TypeScript by leaving its types out: write this without it.' };
  return { what, where, help: 'Correct it there.' };
}

function helpMissing(message: string): string {
  return /Cannot find package '([^']+)'/.test(message)
    ? 'Install the package in this project, or correct its name.'
    : 'Correct the path; Node wants it with its ending (./contract.ts).';
}

/** Node puts place and code before the name of a syntax error, and the frames after its message. */
function parts(stack: string): [head: string, frames: string] {
  const lines = stack.split('\n');
  const name = lines.findIndex((line) => /^(\w*Error)\b/.test(line));
  const head = lines.slice(0, Math.max(name, 0)).filter((line) => line.trim() !== '');
  const frames = lines
    .filter((line) => /^ {4}at /.test(line) && !/node:|node_modules/.test(line))
    .filter(isTheirs);
  return [
    head.map(local).join('\n'),
    frames
      .slice(0, mostLines)
      .map((line) => local(line.trim()))
      .join('\n'),
  ];
}

/** Our own frames say nothing about their module. */
function isTheirs(frame: string): boolean {
  return !frame.includes(new URL('../../', import.meta.url).href);
}

/** Of plain JavaScript Node keeps the place to itself, unless it is asked to check that file alone. */
function checked(file: string): string {
  if (!['.js', '.mjs', '.cjs'].includes(extname(file))) return shown(file);
  const { stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: checkMs });
  const head = parts(stderr ?? '')[0];
  return head === '' ? shown(file) : head;
}

function local(line: string): string {
  return line
    .replace(/file:\/\/[^\s):]+/g, (url) => shown(fileURLToPath(url)))
    .replaceAll(`${process.cwd()}/`, '');
}

function oneLine(message: string): string {
  return local(message.split('\n')[0] ?? '');
}

function indented(text: string): string {
  if (text === '') return '';
  const lines = text.split('\n').slice(0, mostLines);
  return lines.map((line) => `    ${line}`).join('\n');
}
