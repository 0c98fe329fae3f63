/** The messages between the submitter and the run. */

export type SubmitterReport =
  | { readonly kind: 'acknowledged'; readonly ids: readonly string[] }
  | { readonly kind: 'failed'; readonly message: string }
  /** Reports that the submitter has stopped and that all its calls are answered. */
  | { readonly kind: 'stopped' };

export type SubmitterCommand =
  /** The number of all tasks of the submitter that have ended by now. */
  { readonly kind: 'ended'; readonly count: number } | { readonly kind: 'stop' };
