/** The verbs that go on when nobody reads their output any more, since they serve others. */
const serving: ReadonlySet<string> = new Set(['serve', 'dev', 'worker', 'canary']);

/**
 * Ends the process with status 0 when the reader of its output has ended, as in `holdfast list --follow | head`: that is no
 * error. A verb that serves others goes on without its output.
 */
export function endAtClosedPipe(argv: readonly string[]): void {
  const verb = argv.find((word) => /^[a-z][a-z-]*$/.test(word)) ?? '';
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      if (!serving.has(verb)) process.exit(0);
    });
  }
}
