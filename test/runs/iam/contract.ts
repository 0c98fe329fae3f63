import { defineTask, typed } from '../../../src/index.ts';

export const echo = defineTask('echo', { input: typed<{ readonly text: string }>() });
/** Dies with its first attempt, which sends a notice to the dead-letter queue. */
export const dies = defineTask('dies', { input: typed<null>(), retry: { maxAttempts: 1 } });
/** Submits children with all options, and with a key that an earlier child has given up. */
export const parent = defineTask('parent', { input: typed<null>(), timeout: '2m' });
/** Is tried again once. */
export const flaky = defineTask('flaky', { input: typed<null>(), retry: { maxAttempts: 3 } });
