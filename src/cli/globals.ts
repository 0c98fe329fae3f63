import type { Output } from './output.ts';

/** Returns the values of the global flags `--url` and `--json`, once the command line is parsed. */
export type Globals = () => { readonly url: string | undefined; readonly output: Output };
