export { type MemoryEngine, type MemoryOptions, memory } from './engine.ts';
export type { Faults, Operation } from './faults.ts';
