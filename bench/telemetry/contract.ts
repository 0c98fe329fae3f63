import { defineTask, typed } from '../../src/index.ts';

export const queueOf = (round: string): string => `telemetry-${round}`;

/** The task of the measurement, which does nothing. */
export const noop = defineTask('noop', { queue: queueOf('warm-up'), input: typed<{ text: string }>() });
