/** The certificate of the server expires, and the connections that were made before are cut. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Injector } from './injector.ts';

/** How long the certificate is still valid when the server reads it. */
const validMs = 3_000;

export const expiredCertificate: Injector = {
  store: 'file',
  async inject(site) {
    await site.issueServer(validMs);
    await sleep(validMs + 1_000);
    site.link.reset();
  },
};
