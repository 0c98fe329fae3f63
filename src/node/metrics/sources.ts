/** The gauges that only the composition root can read: the files of the store and the certificates. */
import type { X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { Clock } from '../../ports/clock.ts';
import type { Engine } from '../../ports/engine.ts';
import type { GaugeSource } from '../../ports/metrics.ts';
import type { HeaderRefusals } from '../../rpc/server/listener.ts';
import { certificatesOf } from '../../tls/load.ts';
import { readSource } from '../../tls/read-source.ts';
import type { OpenedStore } from '../open/opened.ts';

const certificatesEveryMs = 10_000;

/** Returns the gauges of a store: the sizes of its files, or what AWS bills for it. */
export function storeSources({ engine, path }: Pick<OpenedStore, 'engine' | 'path'>): readonly GaugeSource[] {
  return [
    ...(path === undefined ? [] : [storeSize(path)]),
    ...(engine.consumed === undefined ? [] : [consumedUnits(engine)]),
  ];
}

function storeSize(path: string): GaugeSource {
  return {
    name: 'store size',
    everyMs: 1_000,
    async read(gauges) {
      gauges.set('holdfast.store.size', {}, await sizeOf(path));
      gauges.set('holdfast.store.wal.size', {}, await sizeOf(`${path}-wal`));
    },
  };
}

/** Returns the counts of what listeners refused because of a header that describes a client's certificate. */
export function refusedHeaders(read: () => readonly HeaderRefusals[]): GaugeSource {
  return {
    name: 'refused headers',
    everyMs: 0,
    read(gauges) {
      for (const { listener, forged, certificate, network } of read()) {
        const causes = listener === 'alb' ? { certificate, network } : { forged };
        for (const [cause, count] of Object.entries(causes))
          gauges.set('holdfast.header.refused', { listener, cause }, count);
      }
    },
  };
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw thrown;
  }
}

function consumedUnits(engine: Engine): GaugeSource {
  return {
    name: 'consumed',
    everyMs: 0,
    read(gauges) {
      for (const [kind, units] of Object.entries(engine.consumed?.() ?? {}))
        gauges.set('holdfast.aws.consumed', { kind }, units);
    },
  };
}

/**
 * Returns the gauge of the time until certificates expire, as their files are now: a renewed file counts at once. An
 * expired certificate has a negative time.
 */
export function certificateExpiry(
  role: 'server' | 'client',
  { cert, ca }: { readonly cert?: string | undefined; readonly ca: string },
  clock: Clock,
): GaugeSource {
  return {
    name: 'certificates',
    everyMs: certificatesEveryMs,
    async read(gauges) {
      const left = (certificate: X509Certificate): number =>
        (certificate.validToDate.getTime() - clock.now()) / 1_000;
      const authorities = certificatesOf(readSource(ca), ca);
      gauges.set('holdfast.certificate.expiry', { role: 'authority' }, Math.min(...authorities.map(left)));
      if (cert === undefined) return;
      const [own] = certificatesOf(readSource(cert), cert);
      if (own !== undefined) gauges.set('holdfast.certificate.expiry', { role }, left(own));
    },
  };
}
