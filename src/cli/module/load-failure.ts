/** Explains why a module could not be loaded: the problem, its place in the code, and a help text. */
import { spawnSync } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shortPath } from './find.ts';

export interface LoadFailure {
  readonly problem: string;
  /**
   * Indented lines that show the place of the error: file, line number and source code. Empty if the place is not
   * known.
   */
  readonly place: string;
  readonly help: string;
}

const mostLines = 6;
const checkMs = 5_000;

export function loadFailureOf(thrown: unknown, lastLoaded: string): LoadFailure {
  if (!(thrown instanceof Error)) {
    return {
      problem: `it threw ${String(thrown)}`,
      place: indented(shortPath(lastLoaded)),
      help: 'Throw an Error instead.',
    };
  }
  const [head, frames] = splitStack(thrown.stack ?? '');
  const { code } = thrown as NodeJS.ErrnoException;
  const problem = oneLine(thrown.message === '' ? thrown.name : thrown.message);
  if (code === 'ERR_MODULE_NOT_FOUND')
    return { problem, place: indented(frames), help: helpMissing(thrown.message) };
  const { help } = thrown as { help?: unknown };
  if (typeof help === 'string') return { problem, place: indented(frames), help };
  if (!(thrown instanceof SyntaxError)) {
    return {
      problem,
      place: indented(frames),
      help: 'The module threw this error while it was loaded. Correct the code there.',
    };
  }
  const place = indented(head !== '' ? head : syntaxErrorPlace(lastLoaded));
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX')
    return {
      problem,
      place,
      help: 'Node runs TypeScript by leaving its types out. Write this code without the syntax that Node does not support.',
    };
  return { problem, place, help: 'Correct the code there.' };
}

function helpMissing(message: string): string {
  return /Cannot find package '([^']+)'/.test(message)
    ? 'Install the package in this project, or correct its name.'
    : 'Correct the path. Node needs it with its ending (./contract.ts).';
}

/**
 * Splits a stack trace. Node puts the place and the code of a syntax error before the error's name, and the stack
 * frames after its message.
 */
function splitStack(stack: string): [head: string, frames: string] {
  const lines = stack.split('\n');
  const name = lines.findIndex((line) => /^(\w*Error)\b/.test(line));
  const head = lines.slice(0, Math.max(name, 0)).filter((line) => line.trim() !== '');
  const frames = lines
    .filter((line) => /^ {4}at /.test(line) && !/node:|node_modules/.test(line))
    .filter(isUserFrame);
  return [
    head.map(shortenPaths).join('\n'),
    frames
      .slice(0, mostLines)
      .map((line) => shortenPaths(line.trim()))
      .join('\n'),
  ];
}

/** Returns false for a stack frame in Holdfast's own code, which says nothing about the user's module. */
function isUserFrame(frame: string): boolean {
  return !frame.includes(new URL('../../', import.meta.url).href);
}

/**
 * Returns the place of a syntax error. For plain JavaScript, Node shows the place only when it checks that file alone.
 */
function syntaxErrorPlace(file: string): string {
  if (!['.js', '.mjs', '.cjs'].includes(extname(file))) return shortPath(file);
  const { stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: checkMs });
  const head = splitStack(stderr ?? '')[0];
  return head === '' ? shortPath(file) : head;
}

function shortenPaths(line: string): string {
  return line
    .replace(/file:\/\/[^\s):]+/g, (url) => shortPath(fileURLToPath(url)))
    .replaceAll(`${process.cwd()}/`, '');
}

function oneLine(message: string): string {
  return shortenPaths(message.split('\n')[0] ?? '');
}

function indented(text: string): string {
  if (text === '') return '';
  const lines = text.split('\n').slice(0, mostLines);
  return lines.map((line) => `    ${line}`).join('\n');
}
