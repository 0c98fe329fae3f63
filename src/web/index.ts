/**
 * Holdfast for web servers: submit tasks, read them and follow their events over HTTP, with the `Request` and `Response` of
 * the Fetch standard.
 */
export { type FetchHandlerOptions, fetchHandler, type WebHandler } from './fetch-handler.ts';
export type { Authorize, Grant, WebCall } from './grant.ts';
export { nodeListener } from './node-listener.ts';
