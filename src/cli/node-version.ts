/**
 * Checks the version of Node before anything else is loaded: an older Node fails while it loads the other files, with a
 * message that does not name the cause. Therefore this file imports nothing and uses only syntax that every Node knows.
 */

/**
 * The first minor version of each major version of Node that `engines` in package.json allows. All later major versions
 * are allowed too.
 */
const firstMinors: Readonly<Record<number, number>> = { 24: 16, 26: 1 };
const newestMajor = 26;

export interface NodeVersionError {
  readonly code: 'FAILED_PRECONDITION';
  readonly reason: 'BAD_CONFIGURATION';
  readonly message: string;
  readonly help: string;
}

/** Returns the error for a version such as `22.1.0` that is too old, or undefined if Holdfast runs on the version. */
export function nodeVersionError(version: string): NodeVersionError | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > newestMajor || minor >= (firstMinors[major] ?? Number.POSITIVE_INFINITY)) return undefined;
  return {
    code: 'FAILED_PRECONDITION',
    reason: 'BAD_CONFIGURATION',
    message: `Holdfast needs Node 24.16 or a later 24, or Node 26.1 or later; this is Node ${version}.`,
    help: 'Install such a Node, or put it first in PATH.',
  };
}

/**
 * Prints the error for an unsupported version of Node like any other error of the command: as one JSON value if
 * `--json` is given.
 */
export function printVersionError(error: NodeVersionError, argv: readonly string[]): void {
  if (argv.includes('--json')) process.stdout.write(`${JSON.stringify({ error })}\n`);
  else process.stderr.write(`error: ${error.message}\n  ${error.help}\n`);
}
