import type { Priority } from '../../src/core/priority.ts';
import type { Site } from './broker-on-sqs.ts';

/**
 * Registers a test with the sentence as its title. The function `shown` runs the test on its own SQS queues, which have
 * the priorities `enabled`; by default `normal` alone.
 */
export type Says = (
  sentence: string,
  shown: (site: Site) => Promise<void>,
  enabled?: readonly Priority[],
) => void;
