/**
 * The test kit of Holdfast: a store in memory, a worker and a client on a clock that only the test moves. It needs no test
 * runner and works with each.
 */

export type { DrainCounts } from './drain.ts';
export type { TestFaults } from './faults.ts';
export type { RunHandler, RunOptions } from './run-handler.ts';
export { type TestKit, type TestKitOptions, testKit } from './test-kit.ts';
export type { TestClock } from './time/clock.ts';
