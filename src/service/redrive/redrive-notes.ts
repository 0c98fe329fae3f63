import { queueKey } from '../../core/queue-ref.ts';
import type { Snapshot } from '../../ports/task-store.ts';
import { carryForward, type HourNote, hourMs, type NoteStore } from './reconcile-notes.ts';

/**
 * Records redriven tasks in the reconciler's notes of unfinished tasks, so that the reconcile passes
 * (searches for lost dispatch messages) examine the redriven tasks as if they had been submitted when they
 * were redriven. A process writes one note at a time, however many tasks are redriven at once.
 */
export class RedriveNotes {
  readonly #store: NoteStore & { readonly clock: { now(): number } };
  #waiting: Snapshot[] = [];
  #writing: Promise<void> | undefined;

  constructor(store: NoteStore & { readonly clock: { now(): number } }) {
    this.#store = store;
  }

  /**
   * Adds redriven tasks to the reconciler's notes of unfinished tasks. Resolves once the notes are written.
   */
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
      const hour = Math.floor(this.#store.clock.now() / hourMs);
      const byQueue = Map.groupBy(some, ({ submission }) => queueKey(submission.scope));
      for (const [first, ...others] of byQueue.values()) {
        if (first === undefined) continue;
        const { tenant, queue } = first.submission.scope;
        await carryForward(this.#store, { tenant, queue }, hour, notesOf([first, ...others]));
      }
    }
  }
}

function notesOf(tasks: readonly Snapshot[]): HourNote[] {
  return tasks.map(({ id, submission }) => ({
    hour: Math.floor(submission.acceptedAtMs / hourMs),
    ids: [id],
  }));
}
