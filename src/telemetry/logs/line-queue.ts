/** The characters of lines that wait for a collector, whatever the number of lines. */
export const mostQueuedChars = 8 * 1_024 * 1_024;
/** The characters of the lines of one request. One line may have more, and is then sent alone. */
const mostBatchChars = 1_024 * 1_024;

/** Lines that wait for a collector, bounded by their number and by their characters. */
export class LineQueue {
  readonly #mostLines: number;
  #lines: string[] = [];
  #chars = 0;

  constructor(mostLines: number) {
    this.#mostLines = mostLines;
  }

  get length(): number {
    return this.#lines.length;
  }

  /** Adds a line, or returns false if there is no room for it. */
  add(line: string): boolean {
    if (this.#lines.length >= this.#mostLines || this.#chars + line.length > mostQueuedChars) return false;
    this.#lines.push(line);
    this.#chars += line.length;
    return true;
  }

  /** Removes and returns the oldest lines, at most `most` of them. */
  take(most: number): readonly string[] {
    let [lines, chars] = [0, 0];
    for (const line of this.#lines.slice(0, most)) {
      if (lines > 0 && chars + line.length > mostBatchChars) break;
      lines++;
      chars += line.length;
    }
    this.#chars -= chars;
    return this.#lines.splice(0, lines);
  }
}
