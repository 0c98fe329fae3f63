/** The names of the two processes that race. */
export const claimerNames = ['ann', 'bob'] as const;
