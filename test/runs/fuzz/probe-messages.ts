import type { CertificateFiles } from '../../../src/tls/load.ts';

export interface ProbeSetup {
  readonly address: string;
  readonly httpAddress: string;
  readonly tls: CertificateFiles;
}

/** The messages of the probing process to the run. */
export type ProbeReport =
  | { readonly kind: 'probed'; readonly ms: number; readonly slowestStep: string }
  | { readonly kind: 'wrong'; readonly message: string }
  /** Sent once after `stop`: the number of canaries that were acknowledged, and of those that differ. */
  | { readonly kind: 'audited'; readonly canaries: number; readonly wrong: readonly string[] };
