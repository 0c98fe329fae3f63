/** The server is killed, as with its machine. */
import type { Injector } from './injector.ts';

export const killedNode: Injector = { store: 'file', inject: (site) => site.killServer() };
