import type { ServerOptions } from './connection/connect.ts';
import type { Output } from './output.ts';

/** Returns the server that the flags name, and the output as `--json` says, once the command line is parsed. */
export type Globals = () => { readonly server: ServerOptions; readonly output: Output };
