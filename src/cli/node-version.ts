/**
 * Looked at before anything else is loaded: an older Node fails while it loads the rest, with words that say nothing.
 * So this file imports nothing and keeps to what every Node understands.
 */

/** As `engines` in package.json says it: from these minors on, of these majors; all later majors. */
const firstMinors: Readonly<Record<number, number>> = { 24: 16, 26: 1 };
const newestMajor = 26;

export interface TooOld {
  readonly code: 'FAILED_PRECONDITION';
  readonly reason: 'BAD_CONFIGURATION';
  readonly message: string;
  readonly help: string;
}

/** What is wrong with a version such as `26.10.0`, or undefined. */
export function tooOld(version: string): TooOld | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > newestMajor || minor >= (firstMinors[major] ?? Number.POSITIVE_INFINITY)) return undefined;
  return {
    code: 'FAILED_PRECONDITION',
    reason: 'BAD_CONFIGURATION',
    message: `Holdfast runs on Node 24.16 or newer of 24, or 26.1 or newer; this is Node ${version}.`,
    help: 'Install such a Node, or put it first in PATH.',
  };
}

/** Tells it like any other failure of the command: as one JSON value where that was asked for. */
export function tellTooOld(error: TooOld, argv: readonly string[]): void {
  if (argv.includes('--json')) process.stdout.write(`${JSON.stringify({ error })}\n`);
  else process.stderr.write(`error: ${error.message}\n  ${error.help}\n`);
}
