/** The closed list of causes: one of them is injected, and an investigator names one of them. */
export const causes = [
  'failing-version',
  'slow-dependency',
  'killed-node',
  'table-throttled',
  'sqs-unreachable',
  'paused-queue',
  'lane-held',
  'disk-full',
  'expired-certificate',
  'blocked-thread',
] as const;

export type Cause = (typeof causes)[number];

/** The answer of an investigator: a cause, `none` if nothing is wrong, or `unknown` if the evidence shows no cause of the list. */
export type Named = Cause | 'none' | 'unknown';
