import { describe, it } from 'vitest';
import { Bench, type Opened } from './store-fixture.ts';

export type Open = () => Promise<Opened>;
/** A sentence about behaviour, and what shows it on a store of its own; `another` opens one more. */
export type Shown = (bench: Bench, another: () => Promise<Bench>) => Promise<void>;
export type Sentence = (sentence: string, shown: Shown) => void;
export type Subject = (says: Sentence) => void;

/** Registers the sentences of a subject for one engine; each opens it anew. */
export function register(name: string, open: Open, subject: Subject): void {
  describe(name, () => {
    subject((sentence, shown) => {
      it(sentence, async () => {
        const opened: Bench[] = [];
        const another = async (): Promise<Bench> => {
          const bench = new Bench(await open());
          opened.push(bench);
          return bench;
        };
        try {
          await shown(await another(), another);
        } finally {
          for (const bench of opened) {
            await bench.engine.close();
            await bench.opened.dispose?.();
          }
        }
      });
    });
  });
}
