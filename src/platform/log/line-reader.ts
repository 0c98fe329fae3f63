/** Gets each line of the default logs as JSON, if something in this process reads the lines too. */
let reader: ((line: string) => void) | undefined;

/**
 * Passes each line that `defaultLog` and `lineLog` write from now on to a function too, as JSON. The function must not throw.
 * Returns a function that ends this.
 */
export function readLines(read: (line: string) => void): () => void {
  reader = read;
  return () => {
    if (reader === read) reader = undefined;
  };
}

/** Passes a line to the function that reads the lines. The default logs call it. */
export function passLine(line: string): void {
  reader?.(line);
}
