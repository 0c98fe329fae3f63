/** Of the two processes that race. */
export const claimerNames = ['ann', 'bob'] as const;
