import type { Output } from './output.ts';

/** What every verb knows: `--url` and `--json`. */
export type Globals = () => { readonly url: string | undefined; readonly output: Output };
