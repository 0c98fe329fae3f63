import type { Snapshot } from '../../ports/task-store.ts';
import { queueKey } from '../admin/queue-settings.ts';
import { carry, hourMs, type Note, type NoteBook } from './reconcile-notes.ts';

/**
 * Notes of redriven tasks, by which they are looked after as if they had been submitted at that time. However many are
 * redriven at once, a process writes one note at a time.
 */
export class Redriven {
  readonly #book: NoteBook & { readonly clock: { now(): number } };
  #waiting: Snapshot[] = [];
  #writing: Promise<void> | undefined;

  constructor(book: NoteBook & { readonly clock: { now(): number } }) {
    this.#book = book;
  }

  /** Resolves once they are noted. */
  note(redriven: readonly Snapshot[]): Promise<void> {
    this.#waiting.push(...redriven);
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const some = this.#waiting;
      this.#waiting = [];
      const hour = Math.floor(this.#book.clock.now() / hourMs);
      const byQueue = Map.groupBy(some, ({ submission }) => queueKey(submission.scope));
      for (const [first, ...others] of byQueue.values()) {
        if (first === undefined) continue;
        const { tenant, queue } = first.submission.scope;
        await carry(this.#book, { tenant, queue }, hour, notesOf([first, ...others]));
      }
    }
  }
}

function notesOf(tasks: readonly Snapshot[]): Note[] {
  return tasks.map(({ id, submission }) => ({
    hour: Math.floor(submission.acceptedAtMs / hourMs),
    ids: [id],
  }));
}
