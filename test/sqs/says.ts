import type { Priority } from '../../src/core/submission/submission.ts';
import type { Site } from './broker-on-sqs.ts';

/** A sentence, and what shows it on a site of its own with these priorities enabled; `normal` alone by default. */
export type Says = (
  sentence: string,
  shown: (site: Site) => Promise<void>,
  enabled?: readonly Priority[],
) => void;
