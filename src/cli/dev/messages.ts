/** What `holdfast dev` and the process of its worker tell each other. */

export type FromWorker =
  /** It is about to read this file; `print` differs when the file does. */
  | { readonly kind: 'uses'; readonly file: string; readonly print: string }
  | { readonly kind: 'working'; readonly types: readonly string[]; readonly queues: readonly string[] }
  /** It cannot work, and ends. */
  | { readonly kind: 'failed'; readonly message: string; readonly help: string }
  | { readonly kind: 'awake' };

export type ToWorker =
  /** Take no more, let what runs finish within the limit, then end. */
  { readonly kind: 'drain'; readonly limitMs: number } | { readonly kind: 'awake?' };
