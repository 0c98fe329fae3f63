import { describe, it } from 'vitest';
import { type Opened, StoreFixture } from './store-fixture.ts';

/** Opens an engine with an empty store. */
export type OpenEngine = () => Promise<Opened>;
/** The test of one requirement, on a store of its own. `openAnother` opens one more store. */
export type RequirementTest = (
  fixture: StoreFixture,
  openAnother: () => Promise<StoreFixture>,
) => Promise<void>;
export type DeclareRequirement = (sentence: string, test: RequirementTest) => void;
/** A group of requirements that every engine must meet. */
export type Subject = (requires: DeclareRequirement) => void;

/** Registers one test of an engine for each requirement of a group. Each test opens a new store. */
export function register(name: string, open: OpenEngine, subject: Subject): void {
  describe(name, () => {
    subject((sentence, test) => {
      it(sentence, async () => {
        const opened: StoreFixture[] = [];
        const openAnother = async (): Promise<StoreFixture> => {
          const fixture = new StoreFixture(await open());
          opened.push(fixture);
          return fixture;
        };
        try {
          await test(await openAnother(), openAnother);
        } finally {
          for (const fixture of opened) {
            await fixture.engine.close();
            await fixture.underTest.dispose?.();
          }
        }
      });
    });
  });
}
